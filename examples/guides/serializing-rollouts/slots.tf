terraform {
  required_providers { clocker = { source = "clocker/clocker", version = "~> 0.1" } }
}

ephemeral "clocker_lock" "restart" {
  lockid   = "web-restart"
  slots    = 3 # the same number in all configurations
  lockwait = 1800
  hold     = terraform.applying
}

resource "terraform_data" "restart" {
  depends_on = [ephemeral.clocker_lock.restart]

  provisioner "local-exec" { command = "./rollout.sh" }
}
