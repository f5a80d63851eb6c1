terraform {
  required_providers {
    clocker = {
      source  = "clocker/clocker"
      version = "~> 0.1"
    }
  }
}

provider "clocker" {
  # Or leave it out, and set CLOCKER_ZOOKEEPER where Terraform runs.
  zookeeper = "zk1.example.com:2181,zk2.example.com:2181,zk3.example.com:2181"
}
