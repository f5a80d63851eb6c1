mock_provider "clocker" {
  # Without this, held is false, as if somebody else had the lock.
  mock_resource "clocker_lock" {
    defaults = {
      held          = true
      znode         = "/_zklocking/web-rollout/ex-00000000000000000000000000000000__lock__0000000000"
      fencing_token = 1
    }
  }
}

run "under_the_lock" {
  assert {
    condition     = output.rollout == "rolled out"
    error_message = "It was not rolled out under the lock."
  }
}
