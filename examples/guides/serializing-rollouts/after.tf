terraform {
  required_providers { clocker = { source = "clocker/clocker", version = "~> 0.1" } }
}

resource "clocker_lock" "rollout" {
  lockid   = "web-rollout"
  lockwait = 1800
}

module "web" {
  source = "./fleet"
  after  = [clocker_lock.rollout] # and no depends_on
}
