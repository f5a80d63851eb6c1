// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"context"
	"fmt"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// Lock is a held lock. Its methods are safe for concurrent use.
type Lock struct {
	node     *node
	identity Identity
	timeout  time.Duration
	kept     *zookeeper.Kept // nil for a durable one
}

// newLock keeps the lock under watch.
func newLock(n *node) *Lock {
	l := &Lock{node: n, timeout: n.session.Timeout()}
	if n.maybeDurable {
		l.identity = Identity{n.path(), 0, n.czxid}
		n.done()
		return l
	}
	l.identity = Identity{n.path(), n.session.ID(), n.czxid}
	l.kept = n.session.Keep(n.path(), n.watch)
	return l
}

// Znode is the absolute path of our node.
func (l *Lock) Znode() string { return l.node.path() }

// Identity is that of our node.
func (l *Lock) Identity() Identity { return l.identity }

// Durable tells whether the lock outlives its session and this process. Nothing
// watches over a durable lock: it is held until it is released, by whatever
// process (see [RemoveDurable]), or deleted by an operator.
func (l *Lock) Durable() bool { return l.kept == nil }

// Token is the fencing token: the zxid of the transaction that created our
// node. Of two holds of one lock the later one has the greater token, for as long
// as the ensemble keeps its data.
func (l *Lock) Token() int64 { return l.node.token }

// Lost is closed when the lock may no longer be ours though we did not release
// it; [Lock.Err] tells why. It is closed no later than the server can give the
// lock to another, unless somebody deletes its znode: then milliseconds later.
func (l *Lock) Lost() <-chan struct{} {
	if l.kept == nil {
		return nil
	}
	return l.kept.Lost()
}

// OnLost has f called, in a goroutine of its own, when Lost is closed. stop keeps
// it from being called and is false if that has happened already, or stop has.
func (l *Lock) OnLost(f func()) (stop func() bool) {
	if l.kept == nil {
		return func() bool { return true }
	}
	return l.kept.OnLost(f)
}

// Err is nil while the lock is held, and after Lost was closed the reason:
// [ErrNodeGone], [zookeeper.ErrSilence] or the session's end.
func (l *Lock) Err() error {
	if l.kept == nil {
		return nil
	}
	return goneIfNoNode(l.kept.Err())
}

// SessionTimeout is the timeout that the server granted to the session that the
// lock ends with, or that a durable one was taken with.
func (l *Lock) SessionTimeout() time.Duration { return l.timeout }

// Release gives the lock up: it deletes exactly our node, and the directory if
// that leaves it empty. It returns nil once the server has confirmed it or the
// session is over. When ctx ends first the deletion goes on for as long as the session
// lives, and Release can be called again to wait for it. A [*LeftError] says that the
// server refuses to delete the node.
func (l *Lock) Release(ctx context.Context) error {
	if l.kept != nil {
		l.kept.Stop()
	}
	if err := l.node.remove(ctx); err != nil {
		return fmt.Errorf("release %s: %w", l.Znode(), err)
	}
	return nil
}
