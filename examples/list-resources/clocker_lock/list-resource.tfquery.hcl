list "clocker_lock" "web" {
  provider = clocker

  config {
    prefix = "web-" # all locks without it
  }
}
