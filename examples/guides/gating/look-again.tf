terraform {
  required_providers { clocker = { source = "clocker/clocker", version = "~> 0.1" } }
}

resource "clocker_lock" "rollout" {
  lockid   = "web-rollout"
  lockwait = 600
}

# Taken by people before they work by hand. Read in each apply, and only once the
# lock above is held, because that changes in each apply.
data "clocker_lock" "maintenance" {
  lockid     = "web-maintenance"
  depends_on = [clocker_lock.rollout]
}

resource "terraform_data" "rollout" {
  depends_on = [clocker_lock.rollout]

  triggers_replace = ["1.4.2"]

  provisioner "local-exec" { command = "./rollout.sh" }

  lifecycle {
    precondition {
      condition     = !data.clocker_lock.maintenance.held
      error_message = "Somebody maintains web by hand: ${join(", ", data.clocker_lock.maintenance.holders[*].owner)}"
    }
  }
}
