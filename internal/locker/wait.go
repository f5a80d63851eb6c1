package locker

import (
	"context"
	"errors"
	"slices"
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
	watches := newWatches(c.session)
	defer watches.stop()
	over := !c.deadline.IsZero() && !time.Now().Before(c.deadline)
	agreed := false
	for {
		// Taken before the look: a connection that breaks after it wakes us.
		changed := c.session.Changed()
		place, err := c.look(ctx)
		if err == nil && !agreed {
			agreed, err = c.agree(ctx, place)
		}
		if err != nil {
			if c.again(ctx, err) {
				continue
			}
			return err
		}
		before := blockers(c.queued, place, c.Slots)
		if len(before) == 0 {
			if !agreed {
				continue
			}
			// What the look was answered by may have been cut off from its ensemble,
			// which may have ended our session. Once this is answered, it had not.
			return c.confirm(ctx)
		}
		if err := c.refuseOwnRun(ctx, place); err != nil {
			return err
		}
		if over {
			if err := c.busy(ctx, place); err != nil {
				return err
			}
			continue // the holder has just left
		}
		next, err := watches.add(ctx, c.dir, before)
		if err != nil {
			if errors.Is(err, zookeeper.ErrNoNode) || c.again(ctx, err) {
				continue
			}
			return err
		}
		if c.Waiting != nil {
			c.Waiting(Waiting{Place: c.rank(place), Next: next})
		}
		c.queued = nil // as long as the queue, and each of those who wait would keep one
		only, event := watches.alone()
		select {
		case <-event:
			watches.drop(only)
		case name := <-watches.fired:
			watches.drop(name)
		case <-changed:
		case <-c.session.Lost():
		case <-timer:
			over = true // and look a last time
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// agree fails if a contender before us takes the lock for another kind. The names
// tell plain locks from semaphores; the number of slots has to be asked for, and
// one answer is enough, as each contender has asked one before it. done is false
// if the one that was asked has left.
func (c *candidate) agree(ctx context.Context, place int) (done bool, err error) {
	asked := c.Slots == 0
	for i := place - 1; i >= 0; i-- {
		other := c.queued[i]
		sameKind := (other.Mode == Semaphore) == (c.Slots > 0)
		if sameKind && (asked || gemName.MatchString(other.Name)) {
			continue // a gem does not say how many slots its semaphore has
		}
		entry, err := readEntry(ctx, c.session, c.dir, other)
		if err != nil || entry == nil {
			return false, err
		}
		if !sameKind || entry.Slots != c.Slots {
			return false, &DisagreeError{LockID: c.LockID, Slots: c.Slots, Other: *entry}
		}
		asked = true
	}
	return true, nil
}

// refuseOwnRun fails if contenders of our own run are before us and keep us from
// the lock: they hold it, or will, until the run is done with what depends on
// them. A reader does not mind others of its run, unless a writer in between
// waits for those.
func (c *candidate) refuseOwnRun(ctx context.Context, place int) error {
	left := max(c.Slots, 1)
	if c.Mode == Shared {
		writer := blockers(c.queued, place, 0)[0]
		place = slices.Index(c.queued, writer) + 1
	}
	for _, other := range c.queued[:place] {
		if !ofRun(other.Name, c.Data.Run) {
			continue
		}
		if left--; left > 0 {
			continue
		}
		entry, err := readEntry(ctx, c.session, c.dir, other)
		if err != nil {
			return err
		}
		if entry != nil {
			return &OwnRunError{LockID: c.LockID, Other: *entry}
		}
		left++
	}
	return nil
}

// confirm returns nil if our session was alive lately by the leader's word.
func (c *candidate) confirm(ctx context.Context) error {
	_, err := insist(ctx, c.session, func() (struct{}, error) {
		return struct{}{}, c.session.Confirm(ctx, c.session.Timeout()/3)
	})
	return err
}

// rank is our place among those who wait, from 1.
func (c *candidate) rank(place int) int {
	rank := 1
	for i := range place {
		if !holds(c.queued, i, c.Slots) {
			rank++
		}
	}
	return rank
}

// busy is the error that says who holds the lock; nil if they have left since
// the last look.
func (c *candidate) busy(ctx context.Context, place int) error {
	var holding []Contender
	for i, q := range c.queued {
		if holds(c.queued, i, c.Slots) {
			holding = append(holding, q)
		}
	}
	entries, err := read(ctx, c.session, c.dir, holding)
	if err != nil {
		return err
	}
	busy := &BusyError{LockID: c.LockID, Dir: c.Dir, Waited: c.Wait, Place: c.rank(place)}
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
