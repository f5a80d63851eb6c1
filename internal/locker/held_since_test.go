// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// entryOfLock is what the znode of a lock says.
func (c *client) entryOfLock(l *Lock) Entry {
	c.tb.Helper()
	entry, ok, err := Lookup(bounded(c.tb), c.session(), l.Znode())
	if err != nil || !ok {
		c.tb.Fatalf("%s: there %t, error %v", l.Znode(), ok, err)
	}
	return entry
}

// nextSecond waits until the clock shows another second: znodes say no parts of it.
func nextSecond() time.Time {
	next := time.Now().Truncate(time.Second).Add(time.Second)
	<-time.After(time.Until(next))
	return next
}

// Who gets the lock at once holds it since it came.
func TestHeldSinceItCame(t *testing.T) {
	t.Parallel()
	for name, there := range map[string]bool{"without a directory": false, "with a directory": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newArena(t)
			if there {
				a.leave(a.stranger("lock-"))
			}
			p := a.player()
			before := time.Now().Truncate(time.Second)
			l := p.takes(exclusive)
			if e := p.entryOfLock(l); e.Data.HeldSince.Before(before) || e.Data.HeldSince.Before(e.Data.Since) || e.Data.HeldSince.After(time.Now()) {
				t.Errorf("it holds the lock since %v, and came at %v, after %v", e.Data.HeldSince, e.Data.Since, before)
			}
			a.give(l)
			if there {
				a.removeDir()
			}
		})
	}
}

// Who has waited holds the lock since the one before has left, also in each of the ways
// in which a durable lock comes about. While it waits it does not hold.
func TestHeldSinceTheOneBeforeLeft(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]Request{
		"exclusive": exclusive, "shared": shared, "Curator's layout": curator,
		"durable": durable(exclusive), "durable and shared": durable(shared),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newArena(t)
			first, p := a.player().takes(exclusive), a.player()
			w := p.waits(want)
			if e := a.inspect(0).Waiters[0]; !e.Data.HeldSince.IsZero() || e.Data.Since.IsZero() {
				t.Errorf("while it waits it says %+v", e)
			}
			left := nextSecond()
			a.give(first)
			l := w.get()
			if e := p.entryOfLock(l); e.Data.HeldSince.Before(left) || !e.Data.Since.Before(left) || e.Data.HeldSince.After(time.Now()) || e.Data.Durable != want.Durable {
				t.Errorf("it holds the lock since %v, and came at %v; the one before left at %v: %+v", e.Data.HeldSince, e.Data.Since, left, e)
			}
			a.give(l)
		})
	}
}

// A durable lock that gave way to a gem holds since that has left.
func TestHeldSinceTheGemLeft(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	caught := s.proxy.Catch(zktest.Request, promotion)
	acquiring := s.ours.start(s.request())
	caught.Wait()
	before := s.one(false)
	gem := s.queue("ex")
	caught.Pass()
	s.WaitGone(testDir + "/" + before)
	s.WaitChildren(testDir, 2)
	left := nextSecond()
	s.leave(gem)
	l := acquiring.get()
	if e := s.ours.entryOfLock(l); e.Data.HeldSince.Before(left) || !e.Data.Durable || e.FencingToken() != l.Token() {
		t.Errorf("it holds the lock since %v, the gem left at %v: %+v", e.Data.HeldSince, left, e)
	}
	s.remove(l)
}

// Where somebody keeps us from writing to our own znode, the lock is had all the same.
func TestHeldThoughTheZnodeCannotSaySo(t *testing.T) {
	t.Parallel()
	a := newArena(t)
	first, p := a.player().takes(exclusive), a.player()
	w := p.waits(exclusive)
	name := a.inspect(0).Waiters[0].Contender.Name
	if _, err := a.Conn().SetACL(dirOf(a.Space)+"/"+name, zk.WorldACL(zk.PermAll&^zk.PermWrite), -1); err != nil {
		t.Fatal(err)
	}
	a.give(first)
	l := w.get()
	if e := p.entryOfLock(l); !e.Data.HeldSince.IsZero() || e.Contender.Name != name {
		t.Errorf("its znode says %+v", e)
	}
	a.give(l)
}
