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

// lock is a lock that the run has asked for. What is not said to be otherwise is
// guarded by Local.mu.
type lock struct {
	*locker.Lock         // nil before it is held
	key          lockKey // never changes, nor do the next three
	req          Request // of who asked first
	log          *slog.Logger
	cancel       context.CancelCauseFunc // of the acquire

	waiters  map[*waiter]struct{}
	waiting  *locker.Waiting // as last looked at; nil before
	grants   map[string]bool // whether to interrupt the run, by ids
	leaving  chan struct{}   // not nil while it is released or given up; closed at the end of that
	released bool            // a release was tried
	loss     *Loss

	done chan struct{} // closed when the acquire has ended
	err  error         // how; valid then

	due     time.Time   // when it is held for too long; zero for never
	overdue *time.Timer // for that; nil for never
	forget  func() bool // keeps the loss from being reported
	number  uint64      // of the sentinel's
	heeded  bool        // the sentinel knows that a loss interrupts the run
	release sync.Once
	watched chan struct{} // closed by the loss, or by the first try to release it
}

// errGone says that a lock that was held is not there any more.
var errGone = errors.New("holder: the lock is not held any more")

// join returns the lock that w asks for, which w waits for from now on, or what to
// wait for before another try.
func (l *Local) join(ctx context.Context, w *waiter) (k *lock, leaving <-chan struct{}, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.life.Err() != nil: // which ctx is told a moment later
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
	// Others may come to wait for it, and stay when w has left.
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
		progress.moves()
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

// stands takes note of how the queue stands, and tells all who wait.
func (l *Local) stands(k *lock, waiting locker.Waiting) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k.waiting = &waiting
	for w := range k.waiters {
		w.tell(waiting)
	}
}

// keep takes note that the lock is held, unless nobody waits for it any more.
func (l *Local) keep(ctx context.Context, k *lock, lock *locker.Lock) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.life.Err() != nil { // which ctx is told a moment later
		return ErrEnded
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if lock.Durable() {
		// Nobody would know of it: no state will be written.
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
	k.Lock = lock // before its loss can be told of
	if !lock.Durable() {
		later := context.WithoutCancel(ctx)
		k.forget = lock.OnLost(func() { l.lost(k, whyLost(later, lock)) })
	}
	l.held[k] = struct{}{}
	return nil
}

// check looks whether a lock is held still whose loss has yet to be noticed. Without
// an answer it is.
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

// await waits with others for the lock.
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
			// The lock is not had in time, unless it is about to be ours.
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

// grant gives w a share in a lock whose acquire has ended.
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

// heed tells the sentinel whether a loss of the lock is to interrupt the run.
func (l *Local) heed(k *lock) {
	if interrupt := k.interrupts(); interrupt != k.heeded && k.loss == nil && !k.Durable() {
		k.heeded = interrupt
		// An error is of no consequence: it watches as it did.
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

// leave takes w out of those who wait. If it was the last one, what was waited for
// is let go before leave returns, or as soon as ZooKeeper can be reached.
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
		return // and begin has taken note of that
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
	l.unlist(k) // who asks for it again does not get what is lost
	l.mu.Unlock()
	if l.onLoss != nil {
		l.onLoss(loss, interrupt)
	}
	logLoss(l.log, loss, interrupt)
	l.sentinel.forget(k.number)
}
