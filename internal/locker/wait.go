package locker

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// wait returns nil when our contender holds the lock. Whatever wakes it, it
// looks at the whole queue again: a woken waiter that does not look is how two
// clients come to hold one lock.
func (c *candidate) wait(ctx context.Context) error {
	var timer <-chan time.Time
	if !c.deadline.IsZero() {
		t := time.NewTimer(time.Until(c.deadline))
		defer t.Stop()
		timer = t.C
	}
	var retired <-chan struct{}
	if !c.persistent {
		retired = c.session.Retired()
	}
	watches := newWatches(c.session)
	defer watches.stop()
	if err := c.reserved(ctx); err != nil {
		return err
	}
	var deadlock <-chan error // that we have closed one
	waits := false
	over := !c.deadline.IsZero() && !time.Now().Before(c.deadline)
	for {
		// Taken before the look: a connection that breaks after it wakes us.
		changed := c.session.Changed()
		queue, place, err := c.look(ctx)
		if err != nil {
			return err
		}
		if other := disagreement(queue, place, c.Slots); other != nil {
			return c.disagree(ctx, *other)
		}
		before := blockers(queue, place, c.Slots)
		if len(before) == 0 {
			if waits {
				if err := c.reserved(ctx); err != nil {
					return err
				}
			}
			// What the look was answered by may have been cut off from its ensemble,
			// which may have ended our session and given the lock to another.
			return c.confirm(ctx)
		}
		if over {
			if err := c.busy(ctx, queue, place); err != nil {
				return err
			}
			continue // the holder has just left
		}
		next, err := watches.add(ctx, c.dir, before)
		if errors.Is(err, zookeeper.ErrNoNode) {
			continue
		}
		if err != nil {
			return err
		}
		if c.Waiting != nil {
			c.Waiting(standing(c.path(), queue, place, c.Slots, next))
		}
		if !waits {
			waits = true
			var stop func()
			deadlock, stop = c.suspect(ctx)
			defer stop()
		}
		select {
		case name := <-watches.fired:
			watches.drop(name)
		case <-c.own.Event:
			c.own = nil
		case <-changed:
		case <-c.session.Lost():
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

// reserved fails if the lock is to be its user's alone, but its directory lets others in.
// While our znode is there it cannot be replaced by another directory, whoever may change
// what is above it. Its ACL can change while we wait.
func (c *candidate) reserved(ctx context.Context) error {
	if c.made || !c.session.Creator() {
		return nil
	}
	others, err := c.session.Others(ctx, c.dir, c.path())
	if err == nil && len(others) > 0 {
		err = &NotReservedError{Dir: c.dir, Others: others}
	}
	return goneIfNoNode(err)
}

// look lists the queue and returns it with our place in it, from 0. Our own znode must
// be there, and be the one that we created; anything else is ErrNodeGone.
func (c *candidate) look(ctx context.Context) ([]Contender, int, error) {
	for {
		var listing zookeeper.Listing
		var listErr error
		var both sync.WaitGroup
		both.Go(func() { listing, listErr = c.session.Children(ctx, c.dir) })
		err := c.watchOwn(ctx)
		both.Wait()
		if err := errors.Join(listErr, err); err != nil {
			return nil, 0, goneIfNoNode(err)
		}
		queue, _ := Contenders(listing.Names)
		name := c.name
		if found, err := c.settle(ctx, queue); err != nil {
			return nil, 0, err
		} else if !found || c.name != name {
			c.name = name
			return nil, 0, ErrNodeGone
		}
		select {
		case <-c.own.Event:
			// An event comes before the answers that show what it is about: the name in
			// the list may be another znode's than ours.
			c.own = nil
			continue
		default:
		}
		c.crowded = listing.Stat.NumChildren > 1
		return queue, slices.IndexFunc(queue, func(q Contender) bool { return q.Name == c.name }), nil
	}
}

// watchOwn sees to it that our znode is watched, and that it is ours: the one that we
// created with this session, or in one transaction persistent.
func (c *candidate) watchOwn(ctx context.Context) error {
	if c.own != nil {
		return nil
	}
	own, err := c.session.Watch(ctx, c.path())
	if err != nil {
		return err
	}
	owner := c.session.ID()
	if c.persistent {
		owner = 0
	}
	if own.Stat.EphemeralOwner != owner || c.czxid != 0 && own.Stat.Czxid != c.czxid {
		return ErrNodeGone
	}
	c.own, c.czxid = &own, own.Stat.Czxid
	if c.token == 0 {
		c.token = c.czxid
	}
	return nil
}

func goneIfNoNode(err error) error {
	if errors.Is(err, zookeeper.ErrNoNode) {
		return ErrNodeGone
	}
	return err
}

// confirm returns nil once a quorum has said that our znode is there, and the session
// is surely alive.
func (c *candidate) confirm(ctx context.Context) error {
	for {
		if err := c.agree(ctx); err != nil {
			return goneIfNoNode(err)
		}
		if c.persistent || c.session.Alive() == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

// agree returns nil once a quorum has agreed that our znode is there. The same request
// has the znode say since when we hold the lock, if it does not say so yet.
func (c *candidate) agree(ctx context.Context) error {
	if !c.Data.HeldSince.IsZero() {
		return c.session.Check(ctx, c.path())
	}
	data := c.Data
	data.HeldSince, data.Once, data.Durable = time.Now(), false, c.persistent
	err := c.session.Overwrite(ctx, c.path(), data.encode())
	switch {
	case err == nil:
		c.Data.HeldSince = data.HeldSince
		c.own = nil // our watch has fired
		return nil
	case errors.Is(err, zookeeper.ErrNoNode), !zookeeper.Answered(err):
		return err
	default: // an ACL or a quota that somebody has set: the lock is ours all the same
		return c.session.Check(ctx, c.path())
	}
}

// rank is the place of queue[place] among those who wait, from 1.
func rank(queue []Contender, place, slots int) int {
	rank := 1
	for i := range place {
		if !holds(queue, i, slots) {
			rank++
		}
	}
	return rank
}

// disagree is the error about another contender.
func (c *candidate) disagree(ctx context.Context, other Contender) error {
	entry, err := readEntry(ctx, c.session, c.dir, other)
	if err != nil {
		return err
	}
	if entry == nil {
		entry = &Entry{Contender: other, Znode: c.dir + "/" + other.Name}
	}
	return &DisagreeError{LockID: c.LockID, Slots: c.Slots, Other: *entry}
}

// busy is the error that says who holds the lock; nil if they have left since
// the last look.
func (c *candidate) busy(ctx context.Context, queue []Contender, place int) error {
	var holding []Contender
	for i, q := range queue {
		if holds(queue, i, c.Slots) {
			holding = append(holding, q)
		}
	}
	named := holding[:min(len(holding), zookeeper.MaxNamed)]
	entries, err := readAll(ctx, c.session, c.dir, named)
	if err != nil {
		return err
	}
	busy := &BusyError{LockID: c.LockID, Dir: c.Dir, Waited: c.Wait, Place: rank(queue, place, c.Slots), More: len(holding) - len(named)}
	for _, entry := range entries {
		if entry != nil {
			busy.Holders = append(busy.Holders, *entry)
		}
	}
	if len(busy.Holders) < len(entries) {
		return nil
	}
	return busy
}
