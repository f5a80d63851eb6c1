terraform {
  required_providers { clocker = { source = "clocker/clocker", version = "~> 0.1" } }
}

# All rollouts at once, but none during a freeze.
ephemeral "clocker_lock" "freeze" {
  lockid   = "change-freeze"
  mode     = "shared"
  lockwait = 3600
  hold     = terraform.applying
}

ephemeral "clocker_lock" "rollout" {
  depends_on = [ephemeral.clocker_lock.freeze] # the freeze first, everywhere

  lockid   = "web-rollout"
  lockwait = 1800
  hold     = terraform.applying
}

resource "terraform_data" "rollout" {
  depends_on = [ephemeral.clocker_lock.rollout]

  provisioner "local-exec" { command = "./rollout.sh" }
}
