terraform {
  required_providers { clocker = { source = "clocker/clocker", version = "~> 0.1" } }
}

resource "clocker_lock" "staging" {
  lockid     = "staging"
  hold_until = "destroyed"
  info       = "reserved for the load test until Friday"
}

resource "terraform_data" "load_test" {
  # Also destroyed under the lock, which is released last.
  depends_on = [clocker_lock.staging]
}
