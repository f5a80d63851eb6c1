//go:build unix

package e2e

import (
	"testing"
	"time"
)

const (
	// patience bounds every wait for something that should happen soon. It is
	// reached only when something is broken, and is well below sessionTimeout:
	// what is gone by then did not wait for its session to time out.
	patience = 30 * time.Second
	// sessionTimeout is that of the runs, in seconds.
	sessionTimeout = 60
	// interval is how often eventually looks.
	interval = 20 * time.Millisecond
)

// eventually waits for what no watch, pipe or exit tells: that a file is
// there, or another's process is not. It is the only place that polls.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	eventuallyWithin(t, patience, what, done)
}

// eventuallyWithin is eventually for what takes its time.
func eventuallyWithin(t *testing.T, limit time.Duration, what string, done func() bool) {
	t.Helper()
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	bound := time.After(limit)
	for !done() {
		select {
		case <-ticker.C:
		case <-bound:
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}

// await waits for the end of something that goes on in another goroutine.
func await[T any](t *testing.T, what string, event <-chan T) T {
	t.Helper()
	select {
	case value := <-event:
		return value
	case <-time.After(patience):
		t.Fatalf("not within %v: %s", patience, what)
		panic("unreachable")
	}
}
