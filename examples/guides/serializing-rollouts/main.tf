terraform {
  required_providers { clocker = { source = "clocker/clocker", version = "~> 0.1" } }
}

variable "release" {
  default = "1.4.2"
}

ephemeral "clocker_lock" "rollout" {
  lockid   = "web-rollout"
  lockwait = 1800 # seconds to wait
  hold     = terraform.applying
  info     = "web ${var.release}" # shown to whoever waits
}

resource "terraform_data" "rollout" {
  depends_on       = [ephemeral.clocker_lock.rollout]
  triggers_replace = [var.release]

  provisioner "local-exec" { command = "./rollout.sh" }
}

# Still under the lock, because the rollout is.
resource "terraform_data" "smoke_test" {
  depends_on       = [terraform_data.rollout]
  triggers_replace = [var.release]

  provisioner "local-exec" { command = "echo looks good" }
}
