// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// errRetired says that our node keeps a session alive which is to be closed because a node
// of it cannot be deleted. We could wait for a contender that waits for that end.
var errRetired = errors.New("the session is to be closed")

// waiter is one call of [Acquire].
type waiter struct {
	req      Request
	sessions Sessions
	deadline time.Time // zero: none
	node     *node     // in the queue; nil before we have joined it, and when we have left
}

// wait returns nil when our node holds the lock. Whatever wakes it, it looks at the whole
// queue again. A waiter that does not look when it is woken is how two clients come to hold
// one lock.
func (w *waiter) wait(ctx context.Context) error {
	n := w.node
	var timer <-chan time.Time
	if !w.deadline.IsZero() {
		t := time.NewTimer(time.Until(w.deadline))
		defer t.Stop()
		timer = t.C
	}
	var retired <-chan struct{}
	if !n.maybeDurable {
		retired = n.session.Retired()
	}
	watches := newWatches(n.session)
	defer watches.stop()
	if err := n.reserved(ctx); err != nil {
		return err
	}
	var deadlock <-chan error
	waits := false
	over := !w.deadline.IsZero() && !time.Now().Before(w.deadline)
	for {
		// Taken before the look: a connection that breaks after it wakes us.
		changed := n.session.Changed()
		queue, place, err := n.look(ctx)
		if err != nil {
			return err
		}
		if other := disagreement(queue, place, w.req.Slots); other != nil {
			return w.disagree(ctx, *other)
		}
		before := blockers(queue, place, w.req.Slots)
		if len(before) == 0 {
			if waits {
				if err := n.reserved(ctx); err != nil { // the ACL can have changed
					return err
				}
			}
			// The server that answered the look may have been cut off from its ensemble,
			// which may have ended our session and given the lock to another.
			return n.confirm(ctx)
		}
		if over {
			if err := w.busy(ctx, queue, place); err != nil {
				return err
			}
			continue // the holder has just left
		}
		next, err := watches.add(ctx, n.dir, before)
		if errors.Is(err, zookeeper.ErrNoNode) {
			continue
		}
		if err != nil {
			return err
		}
		if w.req.Waiting != nil {
			w.req.Waiting(waitingAt(n.path(), queue, place, w.req.Slots, next))
		}
		if !waits {
			waits = true
			var stop func()
			deadlock, stop = searchDeadlock(ctx, n.session, n.path(), w.req)
			defer stop()
		}
		select {
		case name := <-watches.fired:
			watches.drop(name)
		case <-n.watch.Event:
			n.watch = nil
		case <-changed:
		case <-n.session.Lost():
		case <-retired:
			return errRetired
		case err := <-deadlock:
			return err
		case <-timer:
			over = true // and look a last time
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// disagree is the error about another contender.
func (w *waiter) disagree(ctx context.Context, other Contender) error {
	entry, err := readEntry(ctx, w.node.session, w.node.dir, other)
	if err != nil {
		return err
	}
	if entry == nil {
		entry = &Entry{Contender: other, Znode: w.node.dir + "/" + other.Name}
	}
	return &DisagreeError{LockID: w.req.LockID, Slots: w.req.Slots, Other: *entry}
}

// busy is the error that says who holds the lock; nil if one of them has left since the
// last look.
func (w *waiter) busy(ctx context.Context, queue []Contender, place int) error {
	holding := countHolders(queue, w.req.Slots)
	named := queue[:min(holding, zookeeper.MaxNamed)]
	entries, err := readAll(ctx, w.node.session, w.node.dir, named)
	if err != nil {
		return err
	}
	busy := &BusyError{LockID: w.req.LockID, Dir: w.req.Dir, Waited: w.req.Wait, Place: place - holding + 1, More: holding - len(named)}
	for _, entry := range entries {
		if entry == nil {
			return nil
		}
		busy.Holders = append(busy.Holders, *entry)
	}
	return busy
}

// reserved fails if the lock is to be its user's alone, but others may use its directory.
func (n *node) reserved(ctx context.Context) error {
	if n.madeDir {
		return nil
	}
	return goneIfNoNode(checkReserved(ctx, n.session, n.path()))
}

// look lists the queue and returns it with our place in it, from 0. Our own node must be
// there, and be the one that we created. Anything else is ErrNodeGone.
func (n *node) look(ctx context.Context) ([]Contender, int, error) {
	for {
		var listing zookeeper.Listing
		var listErr error
		var both sync.WaitGroup
		both.Go(func() { listing, listErr = n.session.Children(ctx, n.dir) })
		err := n.watchOwn(ctx)
		both.Wait()
		if err := errors.Join(listErr, err); err != nil {
			return nil, 0, goneIfNoNode(err)
		}
		queue, _ := Contenders(listing.Names)
		name := n.name
		if found, err := n.pick(ctx, queue); err != nil {
			return nil, 0, err
		} else if !found || n.name != name {
			n.name = name
			return nil, 0, ErrNodeGone
		}
		if received(n.watch.Event) {
			// An event comes before the answers that show what it is about: the name in
			// the list may be another znode's than ours.
			n.watch = nil
			continue
		}
		n.crowded = listing.Stat.NumChildren > 1
		return queue, placeOf(queue, n.name), nil
	}
}

// watchOwn sees to it that our node is watched, and that it is ours: the one that we
// created with this session, or as a durable one.
func (n *node) watchOwn(ctx context.Context) error {
	if n.watch != nil {
		return nil
	}
	watch, err := n.session.Watch(ctx, n.path())
	if err != nil {
		return err
	}
	owner := n.session.ID()
	if n.maybeDurable {
		owner = 0
	}
	if watch.Stat.EphemeralOwner != owner || n.czxid != 0 && watch.Stat.Czxid != n.czxid {
		return ErrNodeGone
	}
	n.watch, n.czxid = &watch, watch.Stat.Czxid
	if n.token == 0 {
		n.token = n.czxid
	}
	return nil
}

func goneIfNoNode(err error) error {
	if errors.Is(err, zookeeper.ErrNoNode) {
		return ErrNodeGone
	}
	return err
}

// confirm returns nil once a quorum has said that our node is there, and the session is
// surely alive.
func (n *node) confirm(ctx context.Context) error {
	for {
		if err := n.agree(ctx); err != nil {
			return goneIfNoNode(err)
		}
		if n.maybeDurable || n.session.Alive() == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

// agree returns nil once a quorum has agreed that our node is there. The same request
// writes into the node since when we hold the lock, unless it says so already.
func (n *node) agree(ctx context.Context) error {
	if !n.data.HeldSince.IsZero() {
		return n.session.Check(ctx, n.path())
	}
	data := n.data
	data.HeldSince, data.Once, data.Durable = time.Now(), false, n.maybeDurable
	err := n.session.Overwrite(ctx, n.path(), data.encode())
	switch {
	case err == nil:
		n.data.HeldSince = data.HeldSince
		n.watch = nil // it has fired
		return nil
	case errors.Is(err, zookeeper.ErrNoNode), !zookeeper.Answered(err):
		return err
	default: // somebody has set an ACL or a quota: the lock is ours all the same
		return n.session.Check(ctx, n.path())
	}
}
