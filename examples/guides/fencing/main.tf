terraform {
  required_providers { clocker = { source = "clocker/clocker", version = "~> 0.1" } }
}

variable "release" {
  default = "1.0"
}

resource "clocker_lock" "publish" {
  lockid   = "publish"
  lockwait = 600
}

resource "terraform_data" "publish" {
  triggers_replace = var.release

  provisioner "local-exec" {
    command = "./publish.sh"
    environment = {
      TOKEN   = clocker_lock.publish.fencing_token
      RELEASE = var.release
    }
  }
}
