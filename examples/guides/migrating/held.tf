terraform {
  required_providers { clocker = { source = "clocker/clocker", version = "~> 0.1" } }
}

resource "clocker_lock" "test1" {
  lockid   = "lock-test1"
  lockwait = 10
  required = false # go on without the lock, as a Chef run did
}

data "clocker_lock" "test1" {
  lockid     = "lock-test1"
  depends_on = [clocker_lock.test1]
}

output "log" {
  value = data.clocker_lock.test1.held_by_this_run ? "The lock lock-test1 exists and is held" : "not held"
}
