terraform {
  required_providers { clocker = { source = "clocker/clocker", version = "~> 0.1" } }
}

provider "clocker" {
  zookeeper = "zk1.example.com:2181,zk2.example.com:2181,zk3.example.com:2181/team-a"
  acl       = "creator"

  kerberos {
    principal   = "clocker@EXAMPLE.COM"
    keytab_file = "clocker.keytab"
  }
}

resource "clocker_lock" "rollout" {
  lockid   = "web-rollout"
  lockwait = 600
}

resource "terraform_data" "rollout" {
  depends_on = [clocker_lock.rollout]

  provisioner "local-exec" { command = "./rollout.sh" }
}
