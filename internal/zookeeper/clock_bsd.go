// SPDX-License-Identifier: MPL-2.0

//go:build darwin || freebsd

package zookeeper

import (
	"time"

	"golang.org/x/sys/unix"
)

func sinceBoot() time.Duration {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) // never fails for this clock
	return time.Duration(now.Nano())
}
