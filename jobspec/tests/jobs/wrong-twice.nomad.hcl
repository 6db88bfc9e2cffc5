job "x" {
  type = "batch"
  group "g" {}
  type = "service"
}
