job "x" {
  groop "g" {}
  countt = 1
  update = {}
  group "g" {
    count {}
	network "label" {}
    task {
      driver = "raw_exec"
    }
    restart {}
    restart {}
  }
}
