check "rollout_is_not_stuck" {
  data "clocker_lock" "rollout" {
    lockid = "web-rollout"
  }

  assert {
    condition = alltrue([
      for h in data.clocker_lock.rollout.holders : timecmp(timeadd(h.since, "2h"), plantimestamp()) > 0
    ])
    error_message = "web-rollout has been held for more than two hours: ${jsonencode(data.clocker_lock.rollout.holders[*].owner)}"
  }
}
