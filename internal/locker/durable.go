package locker

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// ErrNotDurable says that a znode is no durable lock of this provider.
var ErrNotDurable = errors.New("locker: not a durable lock")

// errGaveWay says that the promotion may have let a client in that does not look
// before it takes a lock, so that ours was given up.
var errGaveWay = errors.New("locker: gave way to a client that may believe it holds the lock")

// promote makes our contender, which is the head of the queue, durable. The
// ephemeral znode and the persistent one of the same name change places in one
// transaction, so the queue never sees another head.
func (c *candidate) promote(ctx context.Context) error {
	data := c.Data
	data.Durable, data.Token = true, c.token
	for {
		if !c.durable {
			// From here on a lost reply can hide a znode that outlives us.
			c.durable = true
			_, err := c.session.Multi(ctx,
				zookeeper.Delete(c.path()),
				zookeeper.Create(c.path(), data.encode(), zookeeper.Persistent))
			switch {
			case err == nil:
				return c.lookAgain(ctx)
			case errors.Is(err, zookeeper.ErrNoNode):
				c.durable = false
				return ErrNodeGone
			case !c.again(ctx, err):
				return err
			}
		}
		if err := c.settlePromotion(ctx); err != nil {
			return err
		}
		if c.durable {
			return c.lookAgain(ctx)
		}
	}
}

// settlePromotion finds out whether a promotion whose reply was lost was carried
// out, and sets c.durable to that.
func (c *candidate) settlePromotion(ctx context.Context) error {
	for {
		err := c.session.Sync(ctx, c.dir)
		var stat *zookeeper.Stat
		if err == nil {
			stat, err = c.session.Stat(ctx, c.path())
		}
		switch {
		case err == nil:
			c.durable = stat.EphemeralOwner == 0
			return nil
		case errors.Is(err, zookeeper.ErrNoNode):
			c.durable = false
			return ErrNodeGone
		case !c.again(ctx, err):
			return err
		}
	}
}

// resume takes up, with a new session, a promotion that the loss of the last one
// left undecided. It returns nil where there is none, or where it was not
// carried out and the contender went with its session.
func (a *attempt) resume(ctx context.Context, s *zookeeper.Session) (*candidate, error) {
	c := a.limbo
	if c == nil {
		return nil, nil //nolint:nilnil // there is nothing to resume
	}
	a.limbo = nil
	c.session = s
	err := c.settlePromotion(ctx)
	if errors.Is(err, ErrNodeGone) || err == nil && !c.durable {
		return nil, nil //nolint:nilnil // there is nothing to resume any more
	}
	return c, err
}

// gemName is how the zk gem names its contenders.
var gemName = regexp.MustCompile(`^(?:ex|sh|sem)-?\d{9,10}$`)

// lookAgain lists the queue once more after the promotion. The watchers of the
// ephemeral znode were told that it was deleted, and a zk gem among them takes
// the lock without looking: if one that queued before the promotion is still
// there, we give way. Contenders of other clients look for themselves.
func (c *candidate) lookAgain(ctx context.Context) error {
	for {
		misled, err := c.misled(ctx)
		switch {
		case err == nil && misled == "":
			return nil
		case err == nil:
			if err := c.remove(ctx); err != nil {
				return err
			}
			c.durable = false
			return fmt.Errorf("%w: %s", errGaveWay, misled)
		case !c.again(ctx, err):
			return err
		}
	}
}

// misled names a contender that the promotion may have let in; "" if there is
// none. It is one that stood behind us and could not hold the lock together with
// us: those before us, and readers behind a reader, did not wait for us.
func (c *candidate) misled(ctx context.Context) (string, error) {
	own, err := c.session.Stat(ctx, c.path())
	if err != nil {
		if errors.Is(err, zookeeper.ErrNoNode) {
			c.durable = false
			err = ErrNodeGone
		}
		return "", err
	}
	listing, err := c.session.Children(ctx, c.dir)
	if err != nil {
		return "", err
	}
	queue, _ := Contenders(listing.Names)
	place := slices.IndexFunc(queue, func(q Contender) bool { return q.Name == c.node })
	if place < 0 {
		c.durable = false
		return "", ErrNodeGone
	}
	for _, other := range queue[place+1:] {
		if !gemName.MatchString(other.Name) || queue[place].Mode == Shared && other.Mode == Shared {
			continue
		}
		stat, err := c.session.Stat(ctx, c.dir+"/"+other.Name)
		if errors.Is(err, zookeeper.ErrNoNode) {
			continue
		}
		if err != nil || stat.Czxid < own.Czxid {
			return other.Name, err
		}
	}
	return "", nil
}

// Lookup reads one contender. ok is false if its znode is not there.
func Lookup(ctx context.Context, s *zookeeper.Session, znode string) (entry Entry, ok bool, err error) {
	if err := validateZnode(znode); err != nil {
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
	var (
		s     *zookeeper.Session
		entry Entry
		ok    bool
		err   error
	)
	for {
		if s, err = sessions(ctx); err != nil {
			return fmt.Errorf("locker: release %s: %w", shown(znode), err)
		}
		if entry, ok, err = Lookup(ctx, s, znode); err == nil || s.Err() == nil || ctx.Err() != nil {
			break
		}
		// The session ended, and the lock does not care for sessions.
	}
	if err != nil || !ok {
		return err
	}
	if entry.Session != 0 || !entry.Durable {
		return fmt.Errorf("%w: %s", ErrNotDurable, entry)
	}
	dir, name := split(znode)
	c := contender{session: s, sessions: sessions, dir: dir, node: name, durable: true}
	if stat, err := insist(ctx, s, func() (*zookeeper.Stat, error) { return s.Stat(ctx, dir) }); err == nil {
		c.saw(stat, false) // who the others are is not known
	}
	if err := c.remove(ctx); err != nil {
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
		node, err := insist(ctx, s, func() (zookeeper.Node, error) { return s.Get(ctx, znode) })
		if errors.Is(err, zookeeper.ErrNoNode) {
			return fmt.Errorf("%w: %s is gone", ErrNotDurable, shown(znode))
		}
		if err != nil {
			return fmt.Errorf("locker: describe: %w", err)
		}
		data := decodeData(node.Data)
		if node.Stat.EphemeralOwner != 0 || !data.Durable {
			return fmt.Errorf("%w: %s", ErrNotDurable, shown(znode))
		}
		data.Info = info
		err = s.Set(ctx, znode, data.encode(), node.Stat.Version)
		if err == nil {
			return nil
		}
		if !errors.Is(err, zookeeper.ErrBadVersion) && !again(ctx, s, err) {
			return fmt.Errorf("locker: describe: %w", err)
		}
	}
}

func split(znode string) (dir, name string) {
	i := strings.LastIndexByte(znode, '/')
	return znode[:max(i, 0)], znode[i+1:]
}
