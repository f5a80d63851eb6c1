package locker

import (
	"context"
	"errors"
	"slices"
	"strings"
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
	over := c.Wait == 0
	for {
		// Taken before the look: a connection that breaks after it wakes us.
		changed := c.session.Changed()
		before, err := c.look(ctx)
		if err != nil {
			if c.again(ctx, err) {
				continue
			}
			return err
		}
		if len(before) == 0 {
			return nil
		}
		if err := c.refuseOwnRun(ctx, before); err != nil {
			return err
		}
		if over {
			if err := c.busy(ctx, before); err != nil {
				return err
			}
			continue // the holder has just left
		}
		watch, err := c.session.GetWatch(ctx, c.dir+"/"+before[len(before)-1].Name)
		if err != nil {
			if errors.Is(err, zookeeper.ErrNoNode) || c.again(ctx, err) {
				continue
			}
			return err
		}
		select {
		case <-watch.Event:
		case <-changed:
		case <-c.session.Lost():
		case <-timer:
			over = true // and look a last time
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// look lists the queue and returns who is before us. Our own znode must be
// there with our session as its owner; anything else is ErrNodeGone.
func (c *candidate) look(ctx context.Context) ([]Contender, error) {
	type owned struct {
		stat *zookeeper.Stat
		err  error
	}
	own := make(chan owned, 1)
	go func() {
		stat, err := c.session.Stat(ctx, c.path())
		own <- owned{stat, err}
	}()
	listing, err := c.session.Children(ctx, c.dir)
	o := <-own
	if err := errors.Join(err, o.err); err != nil {
		if errors.Is(err, zookeeper.ErrNoNode) {
			return nil, ErrNodeGone
		}
		return nil, err
	}
	if o.stat.EphemeralOwner != c.session.ID() {
		return nil, ErrNodeGone
	}
	queue, _ := Contenders(listing.Names)
	node := c.node
	if found, err := c.settle(ctx, queue); err != nil {
		return nil, err
	} else if !found || c.node != node {
		return nil, ErrNodeGone
	}
	c.token, c.plain, c.queued = o.stat.Czxid, listing.Stat.DataLength == 0, queue
	i := slices.IndexFunc(queue, func(q Contender) bool { return q.Name == c.node })
	return blockers(queue, i), nil
}

// refuseOwnRun fails if a contender of our own run is before us: it holds the
// lock until the run ends, or waits to do so.
func (c *candidate) refuseOwnRun(ctx context.Context, before []Contender) error {
	own := runPrefix(c.Data.Run)
	for _, b := range before {
		if own == "" || !strings.HasPrefix(b.Name, own) {
			continue
		}
		other, err := readEntry(ctx, c.session, c.dir, b)
		if err != nil {
			return err
		}
		if other != nil {
			return &OwnRunError{LockID: c.LockID, Other: *other}
		}
	}
	return nil
}

// busy is the error that says who holds the lock; nil if they have left since
// the last look.
func (c *candidate) busy(ctx context.Context, before []Contender) error {
	var holding []Contender
	for i, q := range c.queued {
		if len(blockers(c.queued, i)) == 0 {
			holding = append(holding, q)
		}
	}
	entries, err := read(ctx, c.session, c.dir, holding)
	if err != nil {
		return err
	}
	busy := &BusyError{LockID: c.LockID, Dir: c.Dir, Waited: c.Wait, Place: len(before)}
	for _, entry := range entries {
		if entry != nil {
			busy.Holders = append(busy.Holders, *entry)
		}
	}
	if len(busy.Holders) == 0 {
		return nil
	}
	return busy
}
