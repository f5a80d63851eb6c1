terraform {
  required_providers { clocker = { source = "clocker/clocker", version = "~> 0.1" } }
}

check "rollout_is_not_stuck" {
  data "clocker_lock" "rollout" {
    lockid = "web-rollout"
  }

  assert {
    # Other clients, such as Chef's, do not say since when they hold it: for them counts since when they queued.
    condition = alltrue([
      for h in data.clocker_lock.rollout.holders : timecmp(timeadd(coalesce(h.held_since, h.since), "2h"), plantimestamp()) > 0
    ])
    error_message = "web-rollout has been held for more than two hours: ${jsonencode(data.clocker_lock.rollout.holders[*].owner)}"
  }
}
