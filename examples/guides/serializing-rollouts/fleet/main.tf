variable "after" {
  type    = any
  default = null
}

# Read while planning, as it does not depend on the lock.
data "fleet_image" "web" {}

resource "fleet_server" "web" {
  depends_on = [var.after]

  name  = "web-0"
  image = data.fleet_image.web.id # another image is another server
}
