// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"testing"
	"time"
)

// The leader is taken to know of a packet only once another one was sent half a tick
// later, that is a quarter of the timeout, and answered.
func TestLease(t *testing.T) {
	t.Parallel()
	const timeout = 1200 * time.Millisecond
	at := func(ms int) Instant { return Instant(time.Hour).Add(time.Duration(ms) * time.Millisecond) }
	for name, test := range map[string]struct {
		sent  []int // packets, in milliseconds
		write int   // the sending of the write that is answered
		until int
	}{
		"the very first packet":        {[]int{0}, 10, 1200},
		"nothing else for long":        {[]int{0}, 900, 1200},
		"a ping long before":           {[]int{0, 400}, 790, 1600},
		"a ping just before":           {[]int{0, 400}, 410, 1200},
		"a write every quarter":        {[]int{0, 300, 600}, 900, 600 + 1200},
		"many pings":                   {[]int{0, 100, 200, 300, 400, 500, 600}, 610, 300 + 1200},
		"after a pause of the process": {[]int{0, 400, 1500}, 1510, 400 + 1200},
		"the sleep of the machine":     {[]int{0, 400}, 60_000, 400 + 1200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b lease
			for _, ms := range test.sent {
				b.note(at(ms), timeout)
			}
			b.answered(b.basis(at(test.write), timeout), timeout)
			if got := b.aliveUntil(); got != at(test.until) {
				t.Errorf("alive until %v, want %v", got.Sub(at(0)), at(test.until).Sub(at(0)))
			}
			b.answered(at(-5000), timeout)
			if got := b.aliveUntil(); got != at(test.until) {
				t.Errorf("a late answer turned it back to %v", got.Sub(at(0)))
			}
		})
	}
}

func TestLeaseNotesFewPackets(t *testing.T) {
	t.Parallel()
	const timeout = time.Second
	var b lease
	now := Instant(time.Hour)
	for range 100_000 {
		now = now.Add(100 * time.Microsecond)
		b.note(now, timeout)
		if len(b.sent) > thinning {
			t.Fatalf("there are %d notes", len(b.sent))
		}
	}
	if basis := b.basis(now, timeout); now.Sub(basis) > timeout/4+timeout/thinning {
		t.Errorf("the basis lies %v back", now.Sub(basis))
	}
	var first lease // before there is a session, and a timeout
	for i := range 1000 {
		first.note(Instant(i), 0)
	}
	if len(first.sent) != 1 || first.basis(1500, timeout) != 999 {
		t.Errorf("the notes are %v", first.sent)
	}
}
