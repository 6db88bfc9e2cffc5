variable "a" {
  default = "x"
}
locals {
  broken = var.nope
}
job "x" {
  name        = local.missing
  datacenters = [element([], 0), nosuch("a")]
}
