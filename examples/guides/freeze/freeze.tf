terraform {
  required_providers { clocker = { source = "clocker/clocker", version = "~> 0.1" } }
}

# Apply it to freeze, destroy it to thaw.
resource "clocker_lock" "freeze" {
  lockid     = "change-freeze"
  hold_until = "destroyed"
  lockwait   = 3600 # for the rollouts that have begun
  info       = "Frozen until Monday 08:00. Ask carol@example.com."
}
