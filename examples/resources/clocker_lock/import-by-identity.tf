import {
  to = clocker_lock.staging
  identity = {
    lockid = "staging"
  }
}
