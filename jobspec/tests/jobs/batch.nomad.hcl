/* every quarter of an hour,
   and on demand */
variables {
  zone = "Europe/Berlin"
}
job "report" {
  type = "batch"
  meta = {
    "dotted.key" = "v"
    plain        = 7
    flag         = true
  }
  periodic {
    crons            = ["*/15 * * * *", "@daily"]
    prohibit_overlap = true
    time_zone        = var.zone
  }
  parameterized {
    payload       = "optional"
    meta_required = ["input"]
  }
  reschedule {
    attempts = 4
    interval = "30m"
    delay    = "7s"
  }
  ui {
    description = "A **report**"
    link {
      label = "Runbook"
      url   = "https://docs.example/run"
    }
  }
  group "g" {
    max_run_duration = "1h"
    ephemeral_disk {
      size   = 500
      sticky = true
    }
    scaling {
      min = 1
      max = 6
      policy {
        cooldown = "1m"
        check "cpu" {
          source = "apm"
          strategy "target-value" {
            target = 70.5
          }
        }
      }
    }
    task "prepare" {
      lifecycle {
        hook = "prestart"
      }
      driver = "raw_exec"
      config { command = "/bin/true" }
    }
    task "t" {
      driver = "raw_exec"
      leader = true
      dispatch_payload {
        file = "payload.txt"
      }
      config {
        command = "/bin/sh"
        args = ["-c", <<-EOS
          echo "$${NOT_OURS} ${NOMAD_TASK_NAME}"
          EOS
        ]
      }
      logs {
        max_files = 3
      }
      action "hello" {
        command = "/bin/echo"
      }
      identity {
        env = true
      }
      identity {
        name = "aws"
        aud  = ["sts.example"]
        ttl  = "1h"
      }
      scaling "cpu" {
        min = 20
        max = 500
      }
    }
  }
}
