terraform {
  required_providers { clocker = { source = "clocker/clocker", version = "~> 0.1" } }
}

resource "clocker_lock" "rollout" {
  lockid   = "web-rollout"
  lockwait = 600
  required = false
}

resource "terraform_data" "rollout" {
  input = clocker_lock.rollout.held ? "rolled out" : "skipped"
}

output "rollout" {
  value = terraform_data.rollout.output
}
