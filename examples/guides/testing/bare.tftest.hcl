mock_provider "clocker" {}

run "without_the_lock" {
  assert {
    condition     = output.rollout == "skipped"
    error_message = "It was rolled out without the lock."
  }
}
