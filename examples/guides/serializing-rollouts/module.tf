terraform {
  required_providers { clocker = { source = "clocker/clocker", version = "~> 0.1" } }
}

ephemeral "clocker_lock" "rollout" {
  lockid   = "web-rollout"
  lockwait = 1800
  hold     = terraform.applying
}

module "web" {
  source     = "./web"
  depends_on = [ephemeral.clocker_lock.rollout]
}
