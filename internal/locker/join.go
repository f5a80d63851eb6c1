// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"context"
	"errors"
	"fmt"

	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// join creates our node, and finds it again if a reply was lost. first tells that we hold
// the lock already: see create.
func (n *node) join(ctx context.Context) (first bool, err error) {
	holding := n.data
	holding.HeldSince, holding.Once = n.data.Since, false
	for {
		first, err = n.create(ctx, n.data.encode(), holding.encode())
		switch {
		case err == nil:
			if first {
				n.data = holding
			}
			return first, n.numbered()
		case zookeeper.Answered(err):
			n.refused = true
			return false, whichQuota(ctx, n.session, n.dir, err)
		case n.session.Err() != nil, ctx.Err() != nil:
			return false, err
		}
		// The reply is lost: the node may exist.
		if found, err := n.find(ctx); found || err != nil {
			return false, errors.Join(err, n.numbered())
		}
	}
}

// numbered fails if the directory has no more sequence numbers.
func (n *node) numbered() error {
	own, ok := ParseContender(n.name)
	if ok && (own.Sequence == lastSequence || own.Sequence < 0) { // before 3.5 it wraps around
		return fmt.Errorf("%w: %s", ErrUsedUp, n.dir)
	}
	return nil
}

// rejoin goes on with a new session after ours was over. durable tells that our node is
// there and durable. Otherwise it is removed.
func (n *node) rejoin(ctx context.Context, s *zookeeper.Session) (durable bool, err error) {
	n.use(s)
	n.watch, n.czxid = nil, 0
	found, err := n.find(ctx)
	if err != nil || !found {
		return false, err
	}
	stat, err := n.session.Stat(ctx, n.path())
	if err == nil && stat.EphemeralOwner == 0 {
		n.maybeDurable = true
		return true, nil
	}
	if err == nil {
		// The server has not ended the former session yet. If it refuses to delete the
		// node, it will do so when that ends.
		err = n.session.Delete(ctx, n.path())
	}
	if zookeeper.Answered(err) {
		err = nil
	}
	n.maybeDurable = false
	return false, err
}
