package holder

import (
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
)

// waiter is one who asks for a lock.
type waiter struct {
	req      Request
	deadline time.Time // zero: none
	timer    *time.Timer

	// Of the lock that it waits for at present, guarded by Local.mu.
	over    <-chan time.Time // nil: the acquire itself ends in time
	queued  chan struct{}    // closed once it is known that the lock has to be waited for
	waiting *locker.Waiting
	again   bool
	late    bool // it was held already
}

func newWaiter(req Request) *waiter {
	w := &waiter{req: req}
	if req.Lock.Wait >= 0 {
		w.deadline = time.Now().Add(req.Lock.Wait)
		w.timer = time.NewTimer(req.Lock.Wait)
	}
	return w
}

func (w *waiter) stop() {
	if w.timer != nil {
		w.timer.Stop()
	}
}

// hasTime tells whether the wait is not over yet.
func (w *waiter) hasTime() bool { return w.timer == nil || time.Now().Before(w.deadline) }

// left is how long to wait from now on.
func (w *waiter) left() time.Duration {
	if w.timer == nil || !w.again {
		return w.req.Lock.Wait // as it was asked for
	}
	return max(0, time.Until(w.deadline))
}

// joins makes w one of those who wait for the lock. first says that its acquire is
// bounded by w's time.
func (w *waiter) joins(k *lock, first bool) {
	w.over, w.queued, w.waiting, w.again = nil, make(chan struct{}), nil, true
	if !first && w.timer != nil {
		w.over = w.timer.C
	}
	w.late = k.Lock != nil
	k.waiters[w] = struct{}{}
	if k.waiting != nil && k.Lock == nil {
		w.tell(*k.waiting)
	}
}

// tell takes note of how the queue stands.
func (w *waiter) tell(waiting locker.Waiting) {
	if w.waiting == nil {
		close(w.queued)
	}
	w.waiting = &waiting
	if w.req.Lock.Waiting != nil {
		w.req.Lock.Waiting(waiting)
	}
}

// busy says who was waited for in vain.
func (w *waiter) busy() error {
	return &locker.BusyError{
		LockID: w.req.Lock.LockID, Dir: w.req.Lock.Dir, Waited: max(0, w.req.Lock.Wait),
		Place: w.waiting.Place, Holders: []locker.Entry{w.waiting.Next},
	}
}
