variable "tasks" {
  type = map(object({ command = string, args = optional(list(string)) }))
  default = {
    one = { command = "/bin/one" }
    two = { command = "/bin/two", args = ["-x"] }
  }
}

locals {
  ports = ["http", "admin"]
}

job "made" {
  group "g" {
    network {
      dynamic "port" {
        for_each = local.ports
        iterator = each_port
        labels   = [each_port.value]
        content {
          to = 8000 + each_port.key
        }
      }
    }
    dynamic "task" {
      for_each = var.tasks
      labels   = [task.key]
      content {
        driver = "raw_exec"
        config {
          command = task.value.command
          args    = try([for a in task.value.args : upper(a)], [])
        }
        dynamic "template" {
          for_each = setunion(["b"], ["a"])
          content {
            data        = "${task.key}-${template.key}-${template.value}"
            destination = "local/${template.value}"
          }
        }
      }
    }
  }
}
