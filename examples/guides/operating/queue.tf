variable "lockid" {
  default = "web-rollout"
}

data "clocker_lock" "this" {
  lockid = var.lockid
}

output "queue" {
  value = join("\n", concat(
    [for e in data.clocker_lock.this.holders : format("holds  %s  %s  %s", e.since, coalesce(e.owner, "unknown"), e.znode)],
    [for e in data.clocker_lock.this.waiters : format("waits  %s  %s  %s", e.since, coalesce(e.owner, "unknown"), e.znode)],
  ))
}
