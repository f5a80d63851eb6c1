terraform {
  required_providers { clocker = { source = "clocker/clocker", version = "~> 0.1" } }
}

variable "image" {
  default = "web-1.4.2"
}

# Without hold = terraform.applying, which is false in a destroy.
ephemeral "clocker_lock" "rollout" {
  lockid   = "web-rollout"
  lockwait = 600 # seconds to wait
}

# Whatever is done with this provider, Terraform opens the lock before.
provider "fleet" {
  comment = "under ${ephemeral.clocker_lock.rollout.znode}"
}

resource "fleet_server" "web" {
  count = 2

  name  = "web-${count.index}"
  image = var.image
}
