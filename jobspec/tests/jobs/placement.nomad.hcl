job "placed" {
  type = "system"
  constraint {
    attribute = "${attr.kernel.name}"
    value     = "linux"
  }
  constraint {
    attribute = "${attr.nomad.version}"
    version   = ">= 1.0"
  }
  constraint {
    distinct_hosts = true
  }
  constraint {
    distinct_property = "${meta.rack}"
    value             = "2"
  }
  constraint {
    attribute = "${meta.present}"
    operator  = "is_set"
  }
  task "alone" {
    driver = "docker"
    config {
      image = "busybox:1.36"
      mount {
        type   = "bind"
        source = "local"
      }
      mount {
        type = "tmpfs"
      }
      labels {
        a = "b"
      }
    }
    affinity {
      attribute = "${meta.rack}"
      regexp    = "r.*"
      weight    = -20
    }
    resources {
      cores = 2
      device "nvidia/gpu" {
        count = 2
        constraint {
          attribute = "${device.attr.memory}"
          operator  = ">="
          value     = "4 GiB"
        }
      }
    }
    restart {
      attempts = 0
    }
    kill_timeout = 9000000000
  }
}
