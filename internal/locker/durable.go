// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// promote makes our node, which holds the lock, durable: a persistent znode replaces the
// ephemeral one in one transaction.
//
// Those who watched the ephemeral one are told that it was deleted, and a zk gem among
// them takes the lock without looking again. So where a gem waits behind us, the
// persistent znode goes to the tail of the queue instead of our place. The gem's turn
// comes first, and those who queue after that see a znode that does not change.
func (w *waiter) promote(ctx context.Context) error {
	for {
		gem, err := w.node.gemBehind(ctx)
		if err != nil {
			return err
		}
		if w.node.maybeDurable && !gem {
			return nil
		}
		if err := w.node.move(ctx, gem); err != nil {
			return err
		}
		if err := w.wait(ctx); err != nil {
			return err
		}
	}
}

// gemBehind tells whether a zk gem waits behind us that would take a change of our node for
// our leaving, or has taken it so: it was there before our present znode was created. Those
// before us, and readers behind a reader, do not wait for us.
func (n *node) gemBehind(ctx context.Context) (bool, error) {
	queue, place, err := n.look(ctx)
	if err != nil {
		return false, err
	}
	for _, other := range queue[place+1:] {
		if !gemName.MatchString(other.Name) || queue[place].Mode == Shared && other.Mode == Shared {
			continue
		}
		if !n.maybeDurable {
			return true, nil
		}
		stat, err := n.session.Stat(ctx, n.dir+"/"+other.Name)
		if errors.Is(err, zookeeper.ErrNoNode) {
			continue
		}
		if err != nil || stat.Czxid < n.czxid {
			return err == nil, err
		}
	}
	return false, nil
}

// move replaces our znode by a persistent one, in its place or at the tail of the queue.
func (n *node) move(ctx context.Context, toTail bool) error {
	data, path, kind := n.data, n.path(), int32(zookeeper.Persistent)
	data.Durable, data.Once = true, false
	if toTail {
		path, kind = n.dir+"/"+n.prefix, zookeeper.PersistentSequential
		data.HeldSince = time.Time{} // others come first
	} else {
		data.Token = n.token
	}
	for {
		// From here on a lost reply can hide a znode that outlives us.
		before := n.maybeDurable
		n.maybeDurable = true
		results, err := n.session.Multi(ctx, zookeeper.Delete(n.path()), zookeeper.Create(path, data.encode(), kind))
		switch {
		case err == nil:
			n.moved(nameOf(results[1].Path), toTail)
			return n.numbered()
		case zookeeper.Answered(err):
			n.maybeDurable = before
			return goneIfNoNode(err)
		case n.session.Err() != nil || ctx.Err() != nil:
			n.maybeMoved(toTail)
			return err
		}
		// The reply is lost: one of the two znodes is there.
		name := n.name
		found, err := n.find(ctx)
		if err != nil {
			n.maybeMoved(toTail)
			return err
		}
		if !found {
			n.name, n.maybeDurable = name, false
			return ErrNodeGone
		}
		stat, err := n.session.Stat(ctx, n.path())
		if err != nil {
			n.maybeMoved(toTail)
			return goneIfNoNode(err)
		}
		if toTail && n.name != name || !toTail && stat.EphemeralOwner == 0 {
			n.moved(n.name, toTail)
			return n.numbered()
		}
		n.maybeDurable = before
	}
}

// moved takes note of the new znode.
func (n *node) moved(name string, toTail bool) {
	n.name, n.watch, n.czxid = name, nil, 0
	if toTail {
		// Those who go first now have tokens that are greater than the old one.
		n.token, n.data.HeldSince = 0, time.Time{}
	}
}

// maybeMoved takes note that a move to the tail may have been carried out: our node is one
// of two znodes, and its token is not known.
func (n *node) maybeMoved(toTail bool) {
	if toTail {
		n.name, n.token, n.data.HeldSince = "", 0, time.Time{}
	}
}

// RemoveDurable releases a durable lock, whoever took it, and returns nil once the server
// has confirmed that its znode is gone. It is [ErrNotDurable] if the znode is something
// else.
func RemoveDurable(ctx context.Context, sessions Sessions, znode string) error {
	if err := validateZnode(znode); err != nil {
		return err
	}
	for {
		s, err := sessions(ctx)
		if err != nil {
			return fmt.Errorf("release %s: %w", shown(znode), err)
		}
		err = removeDurable(ctx, s, sessions, znode)
		if err == nil || s.Err() == nil || ctx.Err() != nil {
			return err
		}
		// The session ended, but the lock does not end with a session.
	}
}

func removeDurable(ctx context.Context, s *zookeeper.Session, sessions Sessions, znode string) error {
	entry, ok, err := Lookup(ctx, s, znode)
	if err != nil || !ok {
		return err
	}
	if entry.Session != 0 || !entry.Data.Durable {
		return fmt.Errorf("%w: %s", ErrNotDurable, entry)
	}
	dir, name := split(znode)
	n := &node{session: s, sessions: sessions, done: s.Use(), dir: dir, name: name, maybeDurable: true}
	if err := n.remove(ctx); err != nil {
		return fmt.Errorf("release %s: %w", shown(znode), err)
	}
	return nil
}

// DescribeDurable replaces what a durable lock tells those who wait for it. It is
// [ErrNotDurable] if the znode is something else, or not there.
func DescribeDurable(ctx context.Context, s *zookeeper.Session, znode, info string) error {
	if err := validateZnode(znode); err != nil {
		return err
	}
	for {
		err := describe(ctx, s, znode, info)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, ErrNotDurable):
			return err
		case errors.Is(err, zookeeper.ErrNoNode):
			return fmt.Errorf("%w: %s is gone", ErrNotDurable, shown(znode))
		case errors.Is(err, zookeeper.ErrBadVersion):
			// Somebody else has written to it.
		case zookeeper.Answered(err), s.Err() != nil, ctx.Err() != nil:
			return fmt.Errorf("describe: %w", err)
		}
	}
}

func describe(ctx context.Context, s *zookeeper.Session, znode, info string) error {
	if err := s.Barrier(ctx); err != nil {
		return err
	}
	node, err := s.Get(ctx, znode)
	if err != nil {
		return err
	}
	data := decodeData(node.Data)
	if node.Stat.EphemeralOwner != 0 || !data.Durable {
		return fmt.Errorf("%w: %s", ErrNotDurable, shown(znode))
	}
	data.Info = info
	return s.Set(ctx, znode, data.encode(), node.Stat.Version)
}
