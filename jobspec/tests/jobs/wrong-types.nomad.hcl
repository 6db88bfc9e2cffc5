job "x" {
  priority    = "high"
  all_at_once = "maybe"
  datacenters = "dc1"
  meta        = ["a"]
  group "g" {
    count          = 1.5
    shutdown_delay = "soon"
    update {
      stagger = true
    }
    task "t" {
      driver = ["raw_exec"]
      config = "x"
      env {
        A = { b = 1 }
      }
    }
  }
}
