// SPDX-License-Identifier: MPL-2.0

package holder

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

var _ Holder = (*Local)(nil)

// releasers is how many locks Close releases at once.
const releasers = 64

// Acquire implements [Holder].
func (l *Local) Acquire(ctx context.Context, req Request) (Grant, error) {
	start := time.Now()
	log := l.log.With("lockid", req.Lock.LockID)
	log.Info("taking lock", "directory", req.Lock.Dir, "lockwait", req.Lock.Wait)
	grant, err := l.acquire(ctx, req)
	if err != nil {
		log.Warn("lock not taken", "error", err, "waited", Waited(start))
		return Grant{}, err
	}
	log.Info("lock held", "znode", grant.Znode, "fencing_token", grant.Token, "session_timeout", grant.SessionTimeout, "waited", Waited(start))
	return grant, nil
}

// Release implements [Holder]. It waits for the server no longer than the
// ensemble's connect timeout. After any error but a [*LostError] the grant is still
// there and can be released again.
func (l *Local) Release(ctx context.Context, znode Znode) error {
	if znode.Durable {
		// Also when this holder is about to end: no other is asked.
		if err := l.connect(ctx, znode.Ensemble); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeoutCause(ctx, znode.Ensemble.ConnectTimeout, ErrUnconfirmed)
		defer cancel()
		return l.releaseDurable(ctx, znode)
	}
	ctx, cancel := l.patiently(ctx, znode.Ensemble)
	defer cancel()
	return l.releaseGrant(ctx, znode.Grant)
}

// Describe implements [Holder].
func (l *Local) Describe(ctx context.Context, znode Znode, info string) error {
	if err := l.connect(ctx, znode.Ensemble); err != nil {
		return err
	}
	ctx, cancel := l.patiently(ctx, znode.Ensemble)
	defer cancel()
	session, err := l.pool.Session(ctx, znode.Ensemble)
	if err != nil {
		return err
	}
	return locker.DescribeDurable(ctx, session, znode.Path, info)
}

// connect waits for a session. That has its own timeout, and its error says more than
// that of a request without an answer.
func (l *Local) connect(ctx context.Context, ensemble zookeeper.Config) error {
	if err := valid(ensemble); err != nil {
		return err
	}
	_, err := l.pool.Session(ctx, ensemble)
	return err
}

// Own implements [Holder].
func (l *Local) Own(_ context.Context, dir string) ([]locker.Identity, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var own []locker.Identity
	for k := range l.held {
		if k.key.dir == dir && k.loss == nil && k.Err() == nil {
			own = append(own, k.Identity())
		}
	}
	return own, nil
}

// Held counts the locks that are held, with durable ones.
func (l *Local) Held() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.held)
}

// refuse ends all present and future acquires by err.
func (l *Local) refuse(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refusal != nil {
		return
	}
	l.refusal = err
	for _, locks := range l.locks {
		for _, k := range locks {
			k.cancel(err)
		}
	}
}

// Close releases all locks but the durable ones, and ends all sessions and all waits. The
// end of the sessions releases what could not be released before. Close takes a few
// seconds at most, also if no server answers. It returns the first error of a release.
func (l *Local) Close() error {
	defer l.pool.Close()
	return l.releaseAll()
}

// releaseAll is Close without the end of the sessions.
func (l *Local) releaseAll() error {
	l.mu.Lock()
	l.end(ErrEnded)
	l.mu.Unlock()
	l.pending.Wait()

	l.mu.Lock()
	held := l.held
	l.held = make(map[*lock]struct{})
	l.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	var all errgroup.Group
	all.SetLimit(releasers)
	for k := range held {
		if !k.req.Lock.Durable {
			all.Go(func() error { return l.give(ctx, k) })
		}
	}
	return all.Wait()
}
