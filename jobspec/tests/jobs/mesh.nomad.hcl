job "mesh" {
  multiregion {
    strategy {
      max_parallel = 1
    }
    region "west" {
      count = 2
    }
  }
  group "api" {
    consul {
      namespace = "web"
    }
    network {
      mode = "bridge"
      dns {
        servers = ["10.0.0.2"]
      }
      port "expose" {
        to = -1
      }
    }
    volume "db" {
      type   = "csi"
      source = "dbvol"
      mount_options {
        fs_type     = "ext4"
        mount_flags = ["noatime"]
      }
    }
    service {
      port = 9001
      connect {
        sidecar_service {
          proxy {
            upstreams {
              destination_name = "db"
              local_bind_port  = 5432
            }
            expose {
              path {
                path            = "/metrics"
                protocol        = "http"
                local_path_port = 9001
                listener_port   = "expose"
              }
            }
            config {
              local_connect_timeout_ms = 1000
            }
          }
        }
        sidecar_task {
          resources {
            cpu = 100
          }
        }
      }
    }
    service {
      name = "ingress"
      port = "expose"
      connect {
        gateway {
          proxy {
            envoy_gateway_bind_addresses "public" {
              address = "10.0.0.1"
              port    = 443
            }
          }
          ingress {
            listener {
              port     = 443
              protocol = "http"
              service {
                name = "api"
                request_headers {
                  add {
                    x-from = "gateway"
                  }
                }
              }
            }
          }
        }
      }
    }
    task "api" {
      driver = "docker"
      config { image = "busybox:1.36" }
      volume_mount {
        volume      = "db"
        destination = "/db"
      }
      csi_plugin {
        id   = "p"
        type = "node"
      }
      schedule {
        cron {
          start = "0 9 * * 1-5 *"
          end   = "0 17"
        }
      }
      secret "db" {
        provider = "nomad"
        path     = "nomad/jobs/mesh"
      }
    }
  }
}
