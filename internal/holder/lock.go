// SPDX-License-Identifier: MPL-2.0

package holder

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/run"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// Local holds locks in this process.
type Local struct {
	run       run.Run
	onLoss    func(Loss, bool)
	pool      zookeeper.Pool
	log       *slog.Logger
	sentinel  *sentinel // of a holder process; else nil, as the next two
	onOverdue func(Overdue)
	teller    *teller
	pace      pace // at which the teller tells of a wait

	life    context.Context // ends with Close
	end     context.CancelCauseFunc
	pending sync.WaitGroup // acquires

	mu      sync.Mutex
	refusal error               // ends every acquire, if not nil
	gaveUp  error               // a deadlock, after which the run waits for no lock; or nil
	locks   map[lockKey][]*lock // that are waited for or held, and not lost
	grants  map[string]*lock    // by the ids of their grants, also lost locks
	held    map[*lock]struct{}  // also lost locks that have grants
}

// NewLocal returns a holder that works for r until Close. onLoss, if not nil, is called
// for each lock that is lost. interrupt says whether a grant asks for an interrupt.
func NewLocal(r run.Run, onLoss func(loss Loss, interrupt bool)) *Local {
	l := &Local{
		run: r, onLoss: onLoss, log: silent(), pace: usualPace,
		locks: make(map[lockKey][]*lock), grants: make(map[string]*lock), held: make(map[*lock]struct{}),
	}
	l.life, l.end = context.WithCancelCause(context.Background())
	return l
}

// logTo is called before the first acquire.
func (l *Local) logTo(log *slog.Logger) { l.log, l.pool.Log = log, log }

// while returns a context that ends with ctx or with l.
func (l *Local) while(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(l.life, func() { cancel(context.Cause(l.life)) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}

// patiently is [Local.while], for no longer than the connect timeout: the caller waits,
// and so does Close, which then tries for itself.
func (l *Local) patiently(ctx context.Context, ensemble zookeeper.Config) (context.Context, context.CancelFunc) {
	ctx, stop := l.while(ctx)
	ctx, cancel := context.WithTimeoutCause(ctx, ensemble.ConnectTimeout, ErrUnconfirmed)
	return ctx, func() {
		cancel()
		stop()
	}
}

func (l *Local) sessions(ensemble zookeeper.Config) locker.Sessions {
	return func(ctx context.Context) (*zookeeper.Session, error) {
		return l.pool.Session(ctx, ensemble)
	}
}

// lockKey tells a lock from all others: the ensemble and the lock's directory.
type lockKey struct{ servers, dir string }

func keyOf(ensemble zookeeper.Config, dir string) lockKey {
	return lockKey{strings.Join(slices.Sorted(slices.Values(ensemble.Servers)), ","), dir}
}

// lock is a lock that the run has asked for.
type lock struct {
	// These never change.
	key    lockKey
	req    Request // the first one for the lock
	log    *slog.Logger
	cancel context.CancelCauseFunc // of the acquire
	done   chan struct{}           // closed when the acquire has ended

	// Local.mu guards the rest.
	*locker.Lock       // nil before the lock is held
	err          error // of the acquire, once done is closed
	waiters      map[*waiter]struct{}
	waiting      *locker.Waiting // how the queue stands; nil while that is not known
	grants       map[string]bool // by id: whether a loss interrupts the run
	leaving      chan struct{}   // closed when its release has ended; nil while it is not released
	released     bool            // a release was tried
	loss         *Loss

	due     time.Time   // when it has been held for as long as it may; zero for never
	overdue *time.Timer // for that; nil for never
	forget  func() bool // keeps a loss from being reported; false if one was
	number  uint64      // for the sentinel
	heeded  bool        // the sentinel knows that a loss interrupts the run
	release sync.Once
	watched chan struct{} // closed by the loss, or by the first try to release the lock
}

// stands takes note of how the queue stands, and tells all waiters.
func (l *Local) stands(k *lock, waiting locker.Waiting) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k.waiting = &waiting
	for w := range k.waiters {
		w.tell(waiting)
	}
}

// heed tells the sentinel whether a loss of the lock interrupts the run.
func (l *Local) heed(k *lock) {
	if interrupt := k.interrupts(); interrupt != k.heeded && k.loss == nil && !k.Durable() {
		k.heeded = interrupt
		// After an error the sentinel watches as before.
		_, _ = l.sentinel.watch(guarded{Number: k.number, LockID: k.req.Lock.LockID, Znode: k.Znode(), Interrupt: interrupt})
	}
}

func (k *lock) interrupts() bool {
	for _, interrupt := range k.grants {
		if interrupt {
			return true
		}
	}
	for w := range k.waiters {
		if w.req.Interrupt {
			return true
		}
	}
	return false
}

// gone forgets a lock.
func (l *Local) gone(k *lock) {
	delete(l.held, k)
	l.unlist(k)
	if k.leaving != nil {
		close(k.leaving)
	}
}

// unlist keeps a lock from being shared any more.
func (l *Local) unlist(k *lock) {
	l.locks[k.key] = slices.DeleteFunc(l.locks[k.key], func(other *lock) bool { return other == k })
	if len(l.locks[k.key]) == 0 {
		delete(l.locks, k.key)
	}
}

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
