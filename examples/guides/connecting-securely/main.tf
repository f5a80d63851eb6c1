terraform {
  required_providers { clocker = { source = "clocker/clocker", version = "~> 0.1" } }
}

variable "zookeeper_password" {
  type      = string
  sensitive = true
  ephemeral = true # in no plan file either; needs Terraform 1.10, OpenTofu 1.11
}

provider "clocker" {
  zookeeper = "localhost:2281/team-a"

  username = "team-a"
  password = var.zookeeper_password
  acl      = "creator"

  tls {
    ca_file   = "certs/ca.pem"
    cert_file = "certs/client.pem"
    key_file  = "certs/client-key.pem"
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
