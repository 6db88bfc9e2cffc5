variable "a" { default = "x" }
job "x-${var.a}" {
}
