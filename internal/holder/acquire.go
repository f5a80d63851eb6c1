// SPDX-License-Identifier: MPL-2.0

package holder

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// errGone says that a lock that was held is not there any more.
var errGone = errors.New("holder: the lock is not held any more")

func (l *Local) acquire(ctx context.Context, req Request) (Grant, error) {
	if err := valid(req.Ensemble); err != nil {
		return Grant{}, err
	}
	ctx, cancel := l.while(ctx)
	defer cancel()
	w := newWaiter(req)
	defer w.stop()
	for {
		k, leaving, err := l.join(ctx, w)
		switch {
		case err != nil:
			return Grant{}, err
		case leaving != nil: // the lock is being released
			select {
			case <-leaving:
				continue
			case <-ctx.Done():
				return Grant{}, context.Cause(ctx)
			}
		}
		grant, err := l.await(ctx, k, w)
		if errors.Is(err, errGone) || errors.Is(err, locker.ErrBusy) && w.hasTime() {
			continue // it was lost, or only the time of the first waiter is over
		}
		return grant, err
	}
}

// valid returns what is wrong with the settings of an ensemble, or nil.
func valid(ensemble zookeeper.Config) error {
	if err := ensemble.Validate(); err != nil {
		return fmt.Errorf("%w: %w", locker.ErrRequest, err)
	}
	return nil
}

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
