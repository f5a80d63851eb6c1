// SPDX-License-Identifier: MPL-2.0

//go:build unix

package chaos

import (
	"fmt"
	"sync"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
)

// hold is one time that somebody had a lock, as they saw it themselves.
type hold struct {
	lock  *lock
	who   string
	mode  locker.Mode
	token int64
	begin time.Time // when the lock was said to be theirs

	// Guarded by the witness, until the end.
	end    time.Time // when they stopped to believe so
	ending string    // why
	writes int
}

// lock is one that the runs share.
type lock struct {
	id      string
	dir     string // below the chroot
	slots   int    // of a semaphore, else 0
	witness *witness
}

// conflict tells whether two may not hold the lock at the same time. Those of a
// semaphore may, up to a number.
func conflict(a, b *hold) bool {
	return a.lock.slots == 0 && (a.mode == locker.Exclusive || b.mode == locker.Exclusive)
}

// witness is what a lock guards. It knows nothing of ZooKeeper, nor of the
// holders' own state: it sees who comes in, writes and goes.
type witness struct {
	report func(format string, args ...any)

	mu      sync.Mutex
	inside  map[*hold]bool
	highest map[locker.Mode]int64 // token that was ever used to write
}

func newWitness(report func(string, ...any)) *witness {
	return &witness{report: report, inside: map[*hold]bool{}, highest: map[locker.Mode]int64{}}
}

// enter begins a hold.
func (w *witness) enter(h *hold) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for other := range w.inside {
		if conflict(h, other) {
			w.report("OVERLAP: %v comes in while %v is inside", h, other)
		}
	}
	w.inside[h] = true
	if slots := h.lock.slots; slots > 0 && len(w.inside) > slots {
		w.report("OVERLAP: %v comes in as number %d of a lock with %d slots", h, len(w.inside), slots)
	}
}

// write is one use of what is guarded. It is refused, with false, to those who
// have gone: they know that they lost the lock, and must not even try.
func (w *witness) write(h *hold) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.inside[h] {
		return false
	}
	for _, mode := range []locker.Mode{locker.Exclusive, locker.Shared} {
		// A lower token than a reader's conflicts with a writer's only.
		if highest := w.highest[mode]; h.token < highest && conflict(h, &hold{lock: h.lock, mode: mode}) {
			w.report("LATE: %v writes after the token %d", h, highest)
		}
	}
	w.highest[h.mode] = max(w.highest[h.mode], h.token)
	h.writes++
	return true
}

// leave ends a hold. The first reason counts.
func (w *witness) leave(h *hold, why string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.inside[h] {
		delete(w.inside, h)
		h.end, h.ending = time.Now(), why
	}
}

func (h *hold) String() string {
	return fmt.Sprintf("%s (%s of %s, token %d)", h.who, h.mode, h.lock.id, h.token)
}
