terraform {
  required_providers { clocker = { source = "clocker/clocker", version = "~> 0.1" } }
}

variable "image" {
  default = "web-1.4.2"
}

action "clocker_lock" "rollout" {
  config {
    lockid   = "web-rollout"
    lockwait = 600 # seconds to wait
  }
}

resource "fleet_server" "web" {
  count = 2

  name  = "web-${count.index}"
  image = var.image

  lifecycle {
    action_trigger {
      events  = [before_create, before_update, before_destroy]
      actions = [action.clocker_lock.rollout]
    }
  }
}
