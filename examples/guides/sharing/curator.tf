terraform {
  required_providers { clocker = { source = "clocker/clocker", version = "~> 0.1" } }
}

resource "clocker_lock" "deploy" {
  lockid   = "deploy"
  layout   = "curator" # or on the provider, for all its locks
  lockwait = 600
}

resource "terraform_data" "deploy" {
  depends_on = [clocker_lock.deploy]

  provisioner "local-exec" { command = "./rollout.sh" }
}
