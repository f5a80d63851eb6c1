terraform {
  required_providers { clocker = { source = "clocker/clocker", version = "~> 0.1" } }
}

variable "image" {
  default = "web-1.4.2"
}

ephemeral "clocker_lock" "rollout" {
  lockid   = "web-rollout"
  lockwait = 600 # seconds to wait
  hold     = terraform.applying
}

resource "fleet_server" "web" {
  count      = 2
  depends_on = [ephemeral.clocker_lock.rollout]

  name  = "web-${count.index}"
  image = var.image # another image is another server

  # The new server first, and then the old one is destroyed, both under the lock.
  lifecycle { create_before_destroy = true }
}
