terraform import clocker_lock.staging staging
