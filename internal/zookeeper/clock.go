// SPDX-License-Identifier: MPL-2.0

package zookeeper

import "time"

// Instant is a point in time on a clock that never goes back, in nanoseconds since some
// fixed point. Leases are measured by it. The servers' clocks go on while this machine
// sleeps, so this one must, too. It does on Linux (CLOCK_BOOTTIME), macOS (CLOCK_MONOTONIC)
// and Windows (the time since boot, in steps of about 16 ms). On FreeBSD it stops during
// sleep.
type Instant int64

// Add returns the instant d later.
func (i Instant) Add(d time.Duration) Instant { return i + Instant(d) }

// Sub returns the time from j to i.
func (i Instant) Sub(j Instant) time.Duration { return time.Duration(i - j) }

// Now returns the present instant.
func Now() Instant { return Instant(sinceBoot()) }
