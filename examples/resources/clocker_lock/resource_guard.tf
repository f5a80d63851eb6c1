terraform {
  required_providers { clocker = { source = "clocker/clocker", version = "~> 0.1" } }
}

resource "clocker_lock" "restart" {
  lockid   = "web-restart"
  lockwait = 10
  required = false
}

resource "terraform_data" "restart" {
  # Not known before apply, so every apply comes here.
  triggers_replace = [clocker_lock.restart.held]

  provisioner "local-exec" {
    command = clocker_lock.restart.held ? "./rollout.sh" : "echo skipped, someone else is at it"
  }
}
