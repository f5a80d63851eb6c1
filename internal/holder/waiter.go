package holder

import (
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
)

// waiter is a call that waits for a lock.
type waiter struct {
	req      Request
	deadline time.Time // zero: none
	timer    *time.Timer

	// About the lock that it waits for at present; guarded by Local.mu.
	over    <-chan time.Time // the end of its time; nil if the acquire ends in time itself
	queued  chan struct{}    // closed once the lock is known to be held by another
	waiting *locker.Waiting
	again   bool // this is not its first try
	late    bool // the run held the lock already
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

// hasTime returns whether its time is not over yet.
func (w *waiter) hasTime() bool { return w.timer == nil || time.Now().Before(w.deadline) }

// left is how long to wait from now on.
func (w *waiter) left() time.Duration {
	if w.timer == nil || !w.again {
		return w.req.Lock.Wait // as it was asked for
	}
	return max(0, time.Until(w.deadline))
}

// joins makes w wait for the lock. first says that the acquire ends with w's time.
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

// busy says who holds the lock at the end of the wait.
func (w *waiter) busy() error {
	return &locker.BusyError{
		LockID: w.req.Lock.LockID, Dir: w.req.Lock.Dir, Waited: max(0, w.req.Lock.Wait),
		Place: w.waiting.Place, Holders: []locker.Entry{w.waiting.Next},
	}
}
