import {
  to = clocker_lock.staging
  id = "staging"
}
