// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"time"

	"golang.org/x/sys/unix"
)

func sinceBoot() time.Duration {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &now) // never fails since Linux 2.6.39
	return time.Duration(now.Nano())
}
