terraform {
  required_providers { clocker = { source = "clocker/clocker", version = "~> 0.1" } }
}

variable "image" {
  default = "web-1.4.2"
}

# Held from the first apply on, until it is destroyed as the last of all.
resource "clocker_lock" "rollout" {
  lockid     = "web-rollout"
  lockwait   = 600 # seconds to wait
  hold_until = "destroyed"
}

resource "fleet_server" "web" {
  count      = 2
  depends_on = [clocker_lock.rollout]

  name  = "web-${count.index}"
  image = var.image
}
