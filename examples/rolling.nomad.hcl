# Three instances that take a changed key in one after the other. With `drover agent -dev`:
#
#   drover kv put shop/pool-size 10
#   drover job run examples/rolling.nomad.hcl
#   drover kv put shop/pool-size 20        # one instance after the other restarts with 20
#   drover kv put shop/pool-size none      # the first one fails, the others stay at 20
#   drover job deployments pool

job "pool" {
  group "pool" {
    count = 3

    update {
      max_parallel     = 1
      health_check     = "task_states"
      min_healthy_time = "3s"
      healthy_deadline = "30s"
    }

    restart {
      attempts = 0
      mode     = "fail"
    }

    task "server" {
      driver = "raw_exec"

      config {
        command = "/bin/sh"
        args    = ["-c", "test \"$POOL\" -gt 0 && exec sleep 3600"]
      }

      template {
        data        = "POOL={{ key \"shop/pool-size\" }}"
        destination = "${NOMAD_SECRETS_DIR}/pool.env"
        env         = true
        change_mode = "rolling"
      }
    }
  }
}
