terraform {
  required_providers { clocker = { source = "clocker/clocker", version = "~> 0.1" } }
}

data "clocker_lock" "staging" {
  lockid = "staging"
}

# Says so in every plan and apply while the lock is held, and stops nothing.
check "staging_is_free" {
  assert {
    condition     = !data.clocker_lock.staging.held
    error_message = "Staging is reserved."
  }
}

output "staging_is_held_by" {
  value = [for h in data.clocker_lock.staging.holders : "${coalesce(h.owner, "unknown")} since ${coalesce(h.held_since, h.since)}"]
}
