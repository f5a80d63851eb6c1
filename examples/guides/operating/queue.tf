terraform {
  required_providers { clocker = { source = "clocker/clocker", version = "~> 0.1" } }
}

variable "lockid" {
  default = "web-rollout"
}

data "clocker_lock" "this" {
  lockid = var.lockid
}

# Another client does not say since when it holds the lock, nor where it runs.
output "queue" {
  value = join("\n", concat(
    [for e in data.clocker_lock.this.holders : format("holds since %s%s  %s  process %s on %s  %s",
    coalesce(e.held_since, e.since), e.until == null ? "" : ", until ${e.until} at the latest", coalesce(e.owner, "unknown"), coalesce(e.pid, "?"), coalesce(e.host, "?"), e.znode)],
    [for e in data.clocker_lock.this.waiters : format("waits since %s  %s  process %s on %s  %s",
    e.since, coalesce(e.owner, "unknown"), coalesce(e.pid, "?"), coalesce(e.host, "?"), e.znode)],
  ))
}
