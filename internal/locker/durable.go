package locker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// ErrNotDurable says that a znode is no durable lock of this provider.
var ErrNotDurable = errors.New("locker: not a durable lock")

// promote makes our contender, which holds the lock, durable: a persistent znode takes
// the place of the ephemeral one in one transaction.
//
// Those who watched the ephemeral one are told that it was deleted, and a zk gem among
// them takes the lock without looking again. So where a gem waits behind us, the
// persistent znode goes to the tail of the queue instead of our place: the gem's turn
// comes first, and those who queue after that see a znode that does not change.
func (c *candidate) promote(ctx context.Context) error {
	for {
		gem, err := c.gemBehind(ctx)
		if err != nil {
			return err
		}
		if c.persistent && !gem {
			return nil
		}
		if err := c.move(ctx, gem); err != nil {
			return err
		}
		if err := c.wait(ctx); err != nil {
			return err
		}
	}
}

// gemBehind tells whether a zk gem waits behind us that would take a change of our znode
// for our leaving, or has: it was there before our present znode was created. Those
// before us, and readers behind a reader, do not wait for us.
func (c *candidate) gemBehind(ctx context.Context) (bool, error) {
	queue, place, err := c.look(ctx)
	if err != nil {
		return false, err
	}
	for _, other := range queue[place+1:] {
		if !gemName.MatchString(other.Name) || queue[place].Mode == Shared && other.Mode == Shared {
			continue
		}
		if !c.persistent {
			return true, nil
		}
		stat, err := c.session.Stat(ctx, c.dir+"/"+other.Name)
		if errors.Is(err, zookeeper.ErrNoNode) {
			continue
		}
		if err != nil || stat.Czxid < c.czxid {
			return err == nil, err
		}
	}
	return false, nil
}

// move replaces our znode by a persistent one, in its place or at the tail of the queue.
func (c *candidate) move(ctx context.Context, toTail bool) error {
	data, path, kind := c.Data, c.path(), int32(zookeeper.Persistent)
	data.Durable, data.Once = true, false
	if toTail {
		path, kind = c.dir+"/"+c.prefix, zookeeper.PersistentSequential
		data.HeldSince = time.Time{} // others come first
	} else {
		data.Token = c.token
	}
	for {
		// From here on a lost reply can hide a znode that outlives us.
		was := c.persistent
		c.persistent = true
		results, err := c.session.Multi(ctx, zookeeper.Delete(c.path()), zookeeper.Create(path, data.encode(), kind))
		switch {
		case err == nil:
			c.moved(nameOf(results[1].Path), toTail)
			return c.numbered()
		case zookeeper.Answered(err):
			c.persistent = was
			return goneIfNoNode(err)
		case c.session.Err() != nil || ctx.Err() != nil:
			c.unsettled(toTail)
			return err
		}
		// The reply is lost: one of the two znodes is there.
		before := c.name
		found, err := c.find(ctx)
		if err != nil {
			c.unsettled(toTail)
			return err
		}
		if !found {
			c.name, c.persistent = before, false
			return ErrNodeGone
		}
		stat, err := c.session.Stat(ctx, c.path())
		if err != nil {
			c.unsettled(toTail)
			return goneIfNoNode(err)
		}
		if toTail && c.name != before || !toTail && stat.EphemeralOwner == 0 {
			c.moved(c.name, toTail)
			return c.numbered()
		}
		c.persistent = was
	}
}

// unsettled takes note that a move to the tail may have been carried out: our znode is one
// of two, and its token is not known.
func (c *candidate) unsettled(toTail bool) {
	if toTail {
		c.name, c.token, c.Data.HeldSince = "", 0, time.Time{}
	}
}

// moved takes note of the new znode.
func (c *candidate) moved(name string, toTail bool) {
	c.name, c.own, c.czxid = name, nil, 0
	if toTail {
		// Those who go first now have tokens that are greater than the old one.
		c.token, c.Data.HeldSince = 0, time.Time{}
	}
}

// Lookup reads one contender. ok is false if its znode is not there.
func Lookup(ctx context.Context, s *zookeeper.Session, znode string) (entry Entry, ok bool, err error) {
	if err := validateZnode(znode); err != nil {
		return Entry{}, false, err
	}
	if err := s.Barrier(ctx); err != nil { // another server may have seen its creation or its end
		return Entry{}, false, err
	}
	dir, name := split(znode)
	c, _ := ParseContender(name)
	e, err := readEntry(ctx, s, dir, c)
	if err != nil || e == nil {
		return Entry{}, false, err
	}
	return *e, true, nil
}

// RemoveDurable releases a durable lock, whoever took it, and returns nil once
// the server has confirmed that its znode is gone. It is [ErrNotDurable] if that
// is anything else.
func RemoveDurable(ctx context.Context, sessions Sessions, znode string) error {
	if err := validateZnode(znode); err != nil {
		return err
	}
	for {
		s, err := sessions(ctx)
		if err != nil {
			return fmt.Errorf("locker: release %s: %w", shown(znode), err)
		}
		err = removeDurable(ctx, s, sessions, znode)
		if err == nil || s.Err() == nil || ctx.Err() != nil {
			return err
		}
		// The session ended, and the lock does not care for sessions.
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
	n := &node{session: s, sessions: sessions, done: s.Use(), dir: dir, name: name, persistent: true}
	if err := n.remove(ctx, nil); err != nil {
		return fmt.Errorf("locker: release %s: %w", shown(znode), err)
	}
	return nil
}

// DescribeDurable replaces what a durable lock tells those who wait for it. It
// is [ErrNotDurable] if the znode is anything else, or nothing.
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
			return fmt.Errorf("locker: describe: %w", err)
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

func split(znode string) (dir, name string) {
	i := strings.LastIndexByte(znode, '/')
	return znode[:max(i, 0)], znode[i+1:]
}
