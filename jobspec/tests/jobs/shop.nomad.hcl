# A service whose next version goes out as canaries, with a certificate, a secret and flags rendered live.
variable "version" {
  type    = string
  default = "v1"
}

variable "count" {
  type    = number
  default = 2
  validation {
    condition     = var.count > 0 && floor(var.count) == var.count
    error_message = "The count must be a whole number of at least 1."
  }
}

locals {
  release = "release-${local.short}"
  short   = substr(var.version, 0, 8)
}

job "shop" {
  datacenters = ["dc1", "dc*"]
  priority    = 60

  update {
    canary            = 1
    max_parallel      = var.count
    min_healthy_time  = "2s"
    healthy_deadline  = "40s"
    progress_deadline = "60s"
    auto_revert       = true
  }

  vault {
    role = "shop"
  }

  group "web" {
    count          = var.count
    shutdown_delay = "2s"

    network {
      port "https" {}
      port "metrics" {
        static = 9102
      }
    }

    service {
      name        = "shop"
      port        = "https"
      tags        = ["live", local.release]
      canary_tags = ["canary", local.release]
      meta {
        version = var.version
      }
      check {
        type            = "http"
        protocol        = "https"
        tls_skip_verify = true
        path            = "/health"
        interval        = "1s"
        timeout         = "2s"
        header {
          Accept = ["text/plain"]
        }
        check_restart {
          limit = 3
        }
      }
      check_restart {
        grace = "20s"
      }
    }

    task "app" {
      driver = "raw_exec"
      config {
        command = "python3"
        args    = ["${NOMAD_TASK_DIR}/app.py", "-v"]
      }
      env {
        SHOP_CERT = "${NOMAD_SECRETS_DIR}/shop.pem"
        WORKERS   = var.count * 4
        DEBUG     = false
      }
      artifact {
        source = "https://files.example/app-${attr.cpu.arch}.tgz"
        options {
          checksum = "sha256:00"
        }
      }
      template {
        destination = "${NOMAD_SECRETS_DIR}/shop.pem"
        perms       = "600"
        data        = <<-EOT
          {{- with pkiCert "pki/issue/web" "common_name=shop.service.consul" }}
            {{ .Key }}{{ .Cert }}
          {{- end }}
        EOT
      }
      template {
        source        = "local/flags.tpl"
        destination   = "local/flags.json"
        change_mode   = "signal"
        change_signal = "SIGHUP"
        wait {
          min = "1s"
          max = "5s"
        }
      }
      template {
        data        = "x"
        destination = "local/x"
        change_mode = "script"
        change_script {
          command = "/bin/reload"
          args    = ["-f"]
        }
        engine = "handlebars"
      }
      resources {
        cpu    = 50
        memory = 64
      }
    }
  }
}
