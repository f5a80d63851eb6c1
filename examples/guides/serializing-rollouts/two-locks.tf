terraform {
  required_providers { clocker = { source = "clocker/clocker", version = "~> 0.1" } }
}

ephemeral "clocker_lock" "database" {
  lockid   = "database"
  lockwait = 600
  hold     = terraform.applying
}

ephemeral "clocker_lock" "web" {
  depends_on = [ephemeral.clocker_lock.database] # by name: database before web, everywhere

  lockid   = "web"
  lockwait = 600
  hold     = terraform.applying
}

resource "terraform_data" "rollout" {
  depends_on = [ephemeral.clocker_lock.web]

  provisioner "local-exec" { command = "./rollout.sh" }
}
