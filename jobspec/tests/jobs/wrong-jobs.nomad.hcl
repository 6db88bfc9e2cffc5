joob "z" {}
job "x" {}
job "y" "extra" {}
