// SPDX-License-Identifier: MPL-2.0

package holder

import (
	"context"
	"errors"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
)

const (
	// closeTime bounds how long Close tries to release the locks, which also removes
	// their directories, before it ends the sessions.
	closeTime = 3 * time.Second
	// durableTime bounds how long the holder tries to release a durable lock that nobody
	// waits for any more: the end of a session does not remove it.
	durableTime = time.Minute
)

// give releases the lock. The error is a [*LostError] if it was lost before.
func (l *Local) give(ctx context.Context, k *lock) error {
	l.unwatch(k)
	err := k.Release(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	if k.loss != nil {
		return &LostError{*k.loss}
	}
	k.released = true
	logRelease(k.log, k.Znode(), err)
	return err
}

// releaseGrant releases a grant, and the lock with the last one.
func (l *Local) releaseGrant(ctx context.Context, id string) error {
	for {
		l.mu.Lock()
		k := l.grants[id]
		if k == nil {
			l.mu.Unlock()
			return nil
		}
		if leaving := k.leaving; leaving != nil {
			l.mu.Unlock()
			select {
			case <-leaving:
				continue
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		if len(k.grants)+len(k.waiters) > 1 {
			delete(l.grants, id)
			delete(k.grants, id)
			l.heed(k)
			loss := k.loss
			l.mu.Unlock()
			if loss != nil {
				return &LostError{*loss}
			}
			return nil
		}
		k.leaving = make(chan struct{})
		l.mu.Unlock()
		err := l.give(ctx, k)
		l.mu.Lock()
		if err == nil || errors.As(err, new(*LostError)) {
			delete(l.grants, id)
			l.gone(k)
		} else {
			l.stays(k)
		}
		l.mu.Unlock()
		return err
	}
}

// stays takes note that a lock could not be released.
func (l *Local) stays(k *lock) {
	close(k.leaving)
	k.leaving = nil
}

// releaseDurable releases a durable lock, no matter which run took it.
func (l *Local) releaseDurable(ctx context.Context, znode Znode) error {
	l.mu.Lock()
	var ours *lock
	for k := range l.held {
		if k.Durable() && k.Znode() == znode.Path && k.leaving == nil {
			ours = k
			ours.leaving = make(chan struct{})
		}
	}
	l.mu.Unlock()
	err := locker.RemoveDurable(ctx, l.sessions(znode.Ensemble), znode.Path)
	logRelease(l.log, znode.Path, err)
	if ours != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		if err == nil {
			l.gone(ours)
		} else {
			l.stays(ours)
		}
	}
	return err
}

// letGo releases a lock that was acquired too late. If ZooKeeper cannot be reached in
// time, the end of the session releases it, and an operator has to release a durable lock.
func letGo(ctx context.Context, lock *locker.Lock) {
	patience := closeTime
	if lock.Durable() {
		patience = durableTime
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_ = lock.Release(ctx)
}
