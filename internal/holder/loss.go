// SPDX-License-Identifier: MPL-2.0

package holder

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
)

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

// unwatch ends the watch over a lock that is to be released: the guarded work is over.
// When it returns, an earlier loss has been reported.
func (l *Local) unwatch(k *lock) {
	if k.Durable() {
		return
	}
	l.mu.Lock()
	k.endLimit()
	l.mu.Unlock()
	k.release.Do(func() {
		if k.forget() {
			l.sentinel.forget(k.number)
			close(k.watched)
		}
	})
	<-k.watched
}

// whyTime bounds how long a loss waits for the answer to who broke the lock. The interrupt
// of the run waits, too.
const whyTime = time.Second

// whyLost is the cause of a loss.
func whyLost(ctx context.Context, lock *locker.Lock) string {
	if err := lock.Err(); !errors.Is(err, locker.ErrNodeGone) {
		return err.Error()
	}
	return whyGone(ctx, lock)
}

// whyGone is the cause of a loss whose znode is gone: who broke the lock and why, if there
// is a note that says so.
func whyGone(ctx context.Context, lock *locker.Lock) string {
	ctx, cancel := context.WithTimeout(ctx, whyTime)
	defer cancel()
	by, reason, ok := lock.Note(ctx)
	if !ok {
		return locker.ErrNodeGone.Error()
	}
	return fmt.Sprintf("%s broke it: %q", cmp.Or(by, "somebody"), reason)
}
