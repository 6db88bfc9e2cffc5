# A web shop. Its certificate and its secret come from Vault, its feature flags from Consul (or from what Drover brings itself: the file is the
# same). It stands in the catalogue while it is healthy, and its next version goes out as canaries until somebody promotes it.

variable "app" {
  type        = string
  description = "Where the shop's binary is on the client."
}

variable "version" {
  type    = string
  default = "v1"
}

variable "count" {
  type    = number
  default = 2
}

variable "canary" {
  type        = number
  default     = 1
  description = "1 is a canary; as many as `count` is blue/green."
}

variable "auto_revert" {
  type    = bool
  default = false
}

variable "auto_promote" {
  type    = bool
  default = false
}

job "shop" {
  update {
    canary            = var.canary
    max_parallel      = var.count
    min_healthy_time  = "1s"
    healthy_deadline  = "15s"
    progress_deadline = "30s"
    auto_revert       = var.auto_revert
    auto_promote      = var.auto_promote
  }

  group "web" {
    count          = var.count
    shutdown_delay = "1s" # out of the catalogue first, then the signal

    network {
      port "https" {}
    }

    restart {
      attempts = 1
      interval = "1m"
      delay    = "1s"
    }

    service {
      name        = "shop"
      port        = "https"
      tags        = ["live", "version-${var.version}"]
      canary_tags = ["canary", "version-${var.version}"]

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
      }
    }

    task "app" {
      driver = "raw_exec"

      config {
        command = var.app
      }

      vault {
        role = "nomad-workloads"
      }

      env {
        SHOP_VERSION = var.version
        SHOP_CERT    = "${NOMAD_SECRETS_DIR}/shop.pem"
        SHOP_FLAGS   = "${NOMAD_TASK_DIR}/flags.json"
      }

      # A certificate of its own for each instance, issued once and renewed before it ends.
      template {
        destination = "${NOMAD_SECRETS_DIR}/shop.pem"
        perms       = "600"
        change_mode = "restart"
        data        = <<-EOT
          {{- with pkiCert "pki/issue/web" "common_name=shop.service.consul" "ip_sans=127.0.0.1" "ttl=24h" }}
          {{- .Key }}{{ .Cert }}{{ .CA }}
          {{- end }}
        EOT
      }

      template {
        destination = "${NOMAD_SECRETS_DIR}/db.env"
        env         = true
        data        = <<-EOT
          {{ with secret "secret/data/default/shop/config" }}DB_PASSWORD={{ .Data.data.password }}{{ end }}
        EOT
      }

      # A flag that changes reaches every instance at once; SIGHUP tells it to look.
      template {
        destination   = "${NOMAD_TASK_DIR}/flags.json"
        change_mode   = "signal"
        change_signal = "SIGHUP"
        splay         = "0s"
        data          = <<-EOT
          { {{- range $i, $f := ls "shop/flags" }}{{ if $i }},{{ end }} "{{ $f.Key }}": {{ $f.Value }}{{ end }} }
        EOT
      }

      resources {
        cpu    = 50
        memory = 64
      }
    }
  }
}
