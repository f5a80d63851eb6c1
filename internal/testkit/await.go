// SPDX-License-Identifier: MPL-2.0

package testkit

import (
	"testing"
	"time"
)

const (
	// Patience bounds every wait for something that should happen soon. It is reached only
	// when something is broken, and is well below the session timeout of most tests: what
	// is gone by then did not wait for its session to time out.
	Patience = 30 * time.Second
	// interval is how often Eventually looks.
	interval = 20 * time.Millisecond
)

// Eventually waits for what no watch, pipe or exit tells: that a file is there, or
// another's process is not. It is the only place that polls.
func Eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	EventuallyWithin(t, Patience, what, done)
}

// EventuallyWithin is Eventually for what takes its time.
func EventuallyWithin(t *testing.T, limit time.Duration, what string, done func() bool) {
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

// Await waits for the end of something that goes on in another goroutine.
func Await[T any](t *testing.T, what string, event <-chan T) T {
	t.Helper()
	select {
	case value := <-event:
		return value
	case <-time.After(Patience):
		t.Fatalf("not within %v: %s", Patience, what)
		panic("unreachable")
	}
}
