terraform {
  required_providers { clocker = { source = "clocker/clocker", version = "~> 0.1" } }
}

variable "release" {
  default = "1.4.2"
}

action "clocker_lock" "rollout" {
  config {
    lockid   = "web-rollout"
    lockwait = 600
  }
}

resource "terraform_data" "rollout" {
  triggers_replace = var.release

  lifecycle {
    action_trigger {
      events  = [before_create, before_update, before_destroy]
      actions = [action.clocker_lock.rollout]
    }
  }

  provisioner "local-exec" { command = "echo rolled out" }
}
