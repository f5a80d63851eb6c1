terraform {
  required_providers { clocker = { source = "clocker/clocker", version = "~> 0.1" } }
}

resource "clocker_lock" "rollout" {
  lockid   = "web-rollout"
  lockwait = 600 # seconds to wait
  info     = "release 1.4.2"
}

resource "terraform_data" "rollout" {
  # Of all runs that share the lock, one at a time gets here.
  depends_on = [clocker_lock.rollout]

  triggers_replace = ["1.4.2"]

  provisioner "local-exec" {
    command = "./rollout.sh"
  }
}
