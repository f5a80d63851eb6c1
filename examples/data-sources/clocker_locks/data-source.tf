terraform {
  required_providers { clocker = { source = "clocker/clocker", version = "~> 0.1" } }
}

data "clocker_locks" "web" {
  prefix = "web-" # all locks without it
}

output "locks" {
  value = [
    for l in data.clocker_locks.web.locks :
    format("%s: %s, %d waiting", l.name, join(" and ", [for h in l.holders : coalesce(h.owner, "unknown")]), l.waiters)
  ]
}
