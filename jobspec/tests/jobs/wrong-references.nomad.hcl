variable "a" {
  default = "x"
}
job "x" {
  name        = local.missing
  region      = var.nope
  datacenters = [element([], 0), nosuch("a"), "${1 + "x"}"]
  dynamic "group" {
    for_each = null
    content {}
  }
}
