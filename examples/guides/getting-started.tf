terraform {
  required_providers {
    clocker = {
      source  = "clocker/clocker"
      version = "~> 0.1"
    }
  }
}

provider "clocker" {
  zookeeper = "127.0.0.1:2181"
}

resource "clocker_lock" "rollout" {
  lockid   = "getting-started"
  lockwait = 60 # seconds to wait
  info     = "trying things out"
}

resource "terraform_data" "rollout" {
  depends_on = [clocker_lock.rollout]

  provisioner "local-exec" { command = "./rollout.sh" }
}
