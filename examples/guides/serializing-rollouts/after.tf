resource "clocker_lock" "rollout" {
  lockid   = "web-rollout"
  lockwait = 1800
}

module "web" {
  source = "./fleet"
  after  = [clocker_lock.rollout] # and no depends_on
}
