terraform {
  required_providers {
    clocker = { source = "clocker/clocker" }
  }
}

resource "clocker_lock" "rollout" {
  lockid   = "demo"
  lockwait = 60 # seconds
}

resource "terraform_data" "work" {
  depends_on = [clocker_lock.rollout]

  provisioner "local-exec" {
    interpreter = [var.worker, "work"]
    command     = var.duration
  }
}

variable "worker" {}
variable "duration" {}
