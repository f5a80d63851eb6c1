# On the ZooKeeper that the provider's configuration or CLOCKER_ZOOKEEPER names.
run "with_a_real_lock" {
  assert {
    condition     = output.rollout == "rolled out" && clocker_lock.rollout.held
    error_message = "It was not rolled out under the lock."
  }
}
