terraform {
  required_providers { clocker = { source = "clocker/clocker", version = "~> 0.1" } }
}

variable "znode" {
  description = "Whose lock to take away, as an error or a data source shows it."
}

variable "reason" {
  description = "The run that loses its lock shows it."
}

action "clocker_break" "rollout" {
  config {
    lockid = "web-rollout"
    znode  = var.znode
    reason = var.reason
  }
}
