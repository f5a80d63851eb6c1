resource "terraform_data" "rollout" {
  provisioner "local-exec" { command = "./rollout.sh" }
}
