package holder

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
)

// lockKey is where the books have a lock.
type lockKey struct{ servers, znode string }

func keyOf(z Znode) lockKey {
	return lockKey{strings.Join(z.Ensemble.Servers, ","), z.Path}
}

// held is a lock in the books.
type held struct {
	*locker.Lock
	req     Request
	log     *slog.Logger
	forget  func() bool // its loss
	number  uint64      // of the sentinel's
	release sync.Once
	loss    *Loss         // set before watched is closed
	watched chan struct{} // closed by the loss, or by the first try to release it
}

// keep takes the lock into the books, unless nobody waits for it any more. A
// durable lock needs no keeping.
func (l *Local) keep(ctx context.Context, req Request, lock *locker.Lock) error {
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
		return nil
	}
	number, err := l.sentinel.watch(guarded{LockID: req.Lock.LockID, Znode: lock.Znode(), Interrupt: req.Interrupt})
	if err != nil {
		return err
	}
	h := &held{Lock: lock, req: req, log: l.log.With("lockid", req.Lock.LockID), number: number, watched: make(chan struct{})}
	h.forget = lock.OnLost(func() { l.lost(h) })
	l.locks[keyOf(Znode{Ensemble: req.Ensemble, Path: lock.Znode()})] = h
	return nil
}

// lost reports the loss of a lock that was not released.
func (l *Local) lost(h *held) {
	defer close(h.watched)
	h.loss = &Loss{LockID: h.req.Lock.LockID, Znode: h.Znode(), At: time.Now(), Cause: h.Err().Error()}
	l.report(h, *h.loss)
	l.sentinel.forget(h.number)
}

func (l *Local) report(h *held, loss Loss) {
	if l.onLoss != nil {
		l.onLoss(loss, h.req.Interrupt)
	}
	logLoss(l.log, loss, h.req.Interrupt)
}

// forsake reports all locks as lost that are not being released, because this holder
// has to end before its run does. Close follows.
func (l *Local) forsake(cause string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, h := range l.locks {
		select {
		case <-h.watched: // reported, or what it guarded is over
			continue
		default:
		}
		l.report(h, Loss{LockID: h.req.Lock.LockID, Znode: h.Znode(), At: time.Now(), Cause: cause})
	}
}

// give releases the lock, and then says whether it had been lost before.
func (l *Local) give(ctx context.Context, h *held) error {
	h.release.Do(func() {
		if h.forget() {
			l.sentinel.forget(h.number)
			close(h.watched)
		}
	})
	<-h.watched
	err := h.Release(ctx)
	if h.loss != nil {
		return &LostError{*h.loss}
	}
	logRelease(h.log, h.Znode(), err)
	return err
}

// letGo releases a lock that came too late. Where ZooKeeper cannot be reached in
// time, the end of the session does it; a durable lock is left to an operator.
func letGo(ctx context.Context, lock *locker.Lock) {
	patience := farewell
	if lock.Durable() {
		patience = durableFarewell
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_ = lock.Release(ctx)
}
