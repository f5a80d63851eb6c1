package holder

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
)

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

// errGone says that a lock that was held is not there any more.
var errGone = errors.New("holder: the lock is not held any more")

// join makes w wait for the lock that it asks for, and returns the lock. Or it returns a
// channel that is to be closed before another try.
func (l *Local) join(ctx context.Context, w *waiter) (k *lock, leaving <-chan struct{}, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.life.Err() != nil: // ctx ends a moment later
		return nil, nil, ErrEnded
	case ctx.Err() != nil:
		return nil, nil, context.Cause(ctx)
	case l.refusal != nil:
		return nil, nil, l.refusal
	}
	key := keyOf(w.req.Ensemble, w.req.Lock.Dir)
	k, err = find(l.locks[key], w.req.Lock)
	first := k == nil
	switch {
	case err != nil:
		return nil, nil, err
	case first:
		k = l.begin(ctx, key, w)
	case k.leaving != nil:
		return nil, k.leaving, nil
	case k.released:
		return nil, nil, ErrUnconfirmed
	}
	w.joins(k, first)
	return k, nil, nil
}

// begin starts to take a lock.
func (l *Local) begin(ctx context.Context, key lockKey, w *waiter) *lock {
	// Other waiters can join, and stay when w has left.
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(l.life, func() { cancel(context.Cause(l.life)) }) //nolint:contextcheck // the end of the holder
	k := &lock{
		key: key, req: w.req, log: l.log.With("lockid", w.req.Lock.LockID), cancel: cancel,
		waiters: make(map[*waiter]struct{}), grants: make(map[string]bool),
		done: make(chan struct{}), watched: make(chan struct{}),
	}
	req := w.req.Lock
	req.Wait = w.left()
	req.Data.Run, req.Data.Host, req.Data.PID = l.run.ID, l.run.Host, l.run.PID
	if !req.Durable {
		req.Data.MaxHold = int(w.req.MaxHold / time.Second)
	}
	req.Others = func() []string { return l.others(k) }
	req.GiveUp = func(ctx context.Context, err error) { l.giveUp(ctx, k, err) }
	gaveUp := l.gaveUp
	if gaveUp != nil {
		req.Wait = 0
	}
	progress, over := l.follow(ctx, k)
	req.Waiting = func(waiting locker.Waiting) {
		l.stands(k, waiting)
		notify(progress.news)
	}
	l.locks[key] = append(l.locks[key], k)
	l.pending.Go(func() {
		defer stop()
		lock, err := locker.Acquire(ctx, l.sessions(k.req.Ensemble), req)
		if gaveUp != nil && errors.Is(err, locker.ErrBusy) {
			err = gaveUp
		}
		if err == nil {
			if err = l.keep(ctx, k, lock); err != nil {
				letGo(context.WithoutCancel(ctx), lock)
			}
		}
		over(err)
		l.mu.Lock()
		defer l.mu.Unlock()
		k.err = err
		close(k.done)
		if err != nil {
			l.gone(k)
		}
	})
	return k
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

// keep takes note that the lock is held, unless the wait for it has ended.
func (l *Local) keep(ctx context.Context, k *lock, lock *locker.Lock) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.life.Err() != nil { // ctx ends a moment later
		return ErrEnded
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if lock.Durable() {
		// No state would be written that knows of the lock.
		if alive, err := l.run.Alive(); err == nil && !alive {
			return ErrEnded
		}
	} else {
		k.heeded = k.interrupts()
		number, err := l.sentinel.watch(guarded{LockID: k.req.Lock.LockID, Znode: lock.Znode(), Interrupt: k.heeded})
		if err != nil {
			return err
		}
		k.number = number
	}
	k.Lock = lock // before a loss can be reported
	if !lock.Durable() {
		later := context.WithoutCancel(ctx)
		k.forget = lock.OnLost(func() { l.lost(k, whyLost(later, lock)) })
	}
	l.held[k] = struct{}{}
	return nil
}

// check asks ZooKeeper whether a lock is still held: its loss may not be noticed yet.
// Without an answer it counts as held.
func (l *Local) check(ctx context.Context, k *lock) (held bool) {
	ctx, cancel := l.patiently(ctx, k.req.Ensemble)
	defer cancel()
	session, err := l.pool.Session(ctx, k.req.Ensemble)
	if err != nil {
		return true
	}
	if entry, found, err := locker.Lookup(ctx, session, k.Znode()); err != nil || found && entry.Identity() == k.Identity() {
		return true
	}
	if k.Durable() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.gone(k)
		return false
	}
	if k.forget() {
		l.lost(k, whyGone(ctx, k.Lock))
	}
	return false
}

// await waits for the lock.
func (l *Local) await(ctx context.Context, k *lock, w *waiter) (Grant, error) {
	if w.late && !l.check(ctx, k) {
		l.leave(ctx, k, w)
		return Grant{}, errGone
	}
	over := w.over
	var queued <-chan struct{}
	for {
		select {
		case <-k.done:
			return l.grant(k, w)
		case <-over:
			// The time is over, unless the lock is about to be ours.
			over, queued = nil, w.queued
		case <-queued:
			l.leave(ctx, k, w)
			return Grant{}, w.busy()
		case <-ctx.Done():
			l.leave(ctx, k, w)
			return Grant{}, context.Cause(ctx)
		}
	}
}

// grant gives w a grant of a lock whose acquire has ended.
func (l *Local) grant(k *lock, w *waiter) (Grant, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(k.waiters, w)
	if busy := (*locker.BusyError)(nil); errors.As(k.err, &busy) {
		own := *busy
		own.LockID, own.Waited = w.req.Lock.LockID, max(0, w.req.Lock.Wait)
		return Grant{}, &own
	}
	if k.err != nil {
		return Grant{}, k.err
	}
	id := ""
	if !w.req.Lock.Durable {
		id = rand.Text()
		l.grants[id] = k
	}
	k.grants[id] = w.req.Interrupt
	l.heed(k)
	l.limit(k, w.req.MaxHold)
	return Grant{ID: id, Znode: k.Znode(), Token: k.Token(), SessionTimeout: k.SessionTimeout()}, nil
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

// leave ends the wait of w. If w was the last waiter and there is no grant, the lock is
// released before leave returns, or as soon as ZooKeeper can be reached.
func (l *Local) leave(ctx context.Context, k *lock, w *waiter) {
	l.mu.Lock()
	delete(k.waiters, w)
	if len(k.waiters)+len(k.grants) > 0 || k.leaving != nil {
		l.mu.Unlock()
		return
	}
	k.leaving = make(chan struct{})
	k.cancel(context.Canceled)
	l.mu.Unlock()
	<-k.done
	if k.err != nil {
		return // begin has called gone
	}
	l.unwatch(k)
	letGo(context.WithoutCancel(ctx), k.Lock)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gone(k)
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

// lost reports the loss of a lock that was not released.
func (l *Local) lost(k *lock, cause string) {
	defer close(k.watched)
	loss := Loss{LockID: k.req.Lock.LockID, Znode: k.Znode(), At: time.Now(), Cause: cause}
	l.mu.Lock()
	k.loss = &loss
	k.endLimit()
	interrupt := k.interrupts()
	l.unlist(k) // the next request does not get the lost lock
	l.mu.Unlock()
	if l.onLoss != nil {
		l.onLoss(loss, interrupt)
	}
	logLoss(l.log, loss, interrupt)
	l.sentinel.forget(k.number)
}
