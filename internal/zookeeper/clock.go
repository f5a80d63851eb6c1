package zookeeper

import (
	"context"
	"time"
)

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

// withInstant returns a context that ends at an instant, with the given cause. On Linux it
// ends as soon as the machine wakes if it has slept past the instant. Elsewhere the timer
// stops during sleep, and the caller has to look at the clock.
func withInstant(ctx context.Context, at Instant, cause error) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	wake := wakeAt(at, func() { cancel(cause) })
	return ctx, func() {
		wake()
		cancel(nil)
	}
}

// wakeAfter calls f by Go's own timer.
func wakeAfter(at Instant, f func()) (stop func()) {
	timer := time.AfterFunc(at.Sub(Now()), f)
	return func() { timer.Stop() }
}
