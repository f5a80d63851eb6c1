terraform {
  required_providers { clocker = { source = "clocker/clocker", version = "~> 0.1" } }
}

# Reserved by whoever is on call, with hold_until = "destroyed" in another configuration.
data "clocker_lock" "window" {
  lockid = "change-window"
}

resource "terraform_data" "change" {
  provisioner "local-exec" { command = "./rollout.sh" }

  lifecycle {
    precondition {
      condition     = data.clocker_lock.window.held
      error_message = "Nobody has opened a change window."
    }
  }
}
