// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"errors"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

func TestLockIsLostWhenItsContenderIsDeleted(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	c := newClientWith(t, space.Addr(), time.Second)
	l := c.lock(dirOf(space))
	space.Delete(testDir + "/" + nameOf(l.Znode()))
	await(t, "the loss", l.Lost())
	if !errors.Is(l.Err(), ErrNodeGone) {
		t.Errorf("lost by %v", l.Err())
	}
	release(t, l)
	if space.Exists(testDir) {
		t.Error("the directory was left")
	}
}

// The znode is there again, but it is another's.
func TestLockIsLostWhenItsContenderIsReplaced(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	c := newClientWith(t, space.Addr(), time.Second)
	l := c.lock(dirOf(space))
	node := testDir + "/" + nameOf(l.Znode())
	space.Delete(node)
	space.Create(node, nil, zktest.Ephemeral)
	await(t, "the loss", l.Lost())
	if !errors.Is(l.Err(), ErrNodeGone) {
		t.Errorf("lost by %v", l.Err())
	}
	release(t, l)
}

func TestLockIsLostWithItsSession(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	proxy := zktest.NewProxy(t, space.Server())
	c := newClientWith(t, proxy.Addr(), time.Minute)
	l := c.lock(dirOf(space))
	proxy.Expire()
	// Told by the session: the lock itself would ask after 20 seconds only.
	select {
	case <-l.Lost():
	case <-time.After(10 * time.Second):
		t.Fatal("the session is over, and the lock is believed in")
	}
	if !errors.Is(l.Err(), zookeeper.ErrSessionExpired) {
		t.Errorf("lost by %v", l.Err())
	}
	release(t, l)
	// The directory is empty, and the next one clears it away.
	release(t, c.lock(dirOf(space)))
}

func TestLockSurvivesBrokenConnections(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	proxy := zktest.NewProxy(t, space.Server())
	c := newClientWith(t, proxy.Addr(), 3*time.Second)
	l := c.lock(dirOf(space))
	for range 3 {
		proxy.Cut()
		for range 2 {
			asked := proxy.Catch(zktest.Reply, check)
			asked.Pass()
			asked.Wait()
		}
	}
	if l.Err() != nil {
		t.Errorf("lost by %v", l.Err())
	}
	release(t, l)
}

func TestReleasedLockIsNotLost(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	proxy := zktest.NewProxy(t, space.Server())
	c := newClient(t, proxy.Addr())
	l := c.lock(dirOf(space))
	release(t, l)
	s := c.session()
	proxy.Expire()
	await(t, "the session's end", s.Lost())
	release(t, c.lock(dirOf(space))) // takes longer than to be told of the loss
	if l.Err() != nil {
		t.Errorf("a released lock is lost by %v", l.Err())
	}
}

// A partition: the server expires the session and gives the lock to the next one,
// and by then the first has to know.
func TestLockIsLostBeforeAnotherGetsIt(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	proxy := zktest.NewProxy(t, space.Server())
	c := newClientWith(t, proxy.Addr(), 3*time.Second)
	s := c.session()

	// The server counts from the last ping too, which AliveUntil does not: take the
	// lock right after one ping and part right after the next one, a third of the
	// timeout later. So much later than the lock is lost can another get it, at the
	// soonest.
	first := proxy.Catch(zktest.Reply, ofKind(ping))
	first.Pass()
	first.Wait()
	second := proxy.Catch(zktest.Reply, ofKind(ping))
	l := c.lock(dirOf(space))
	other := newClient(t, space.Addr())
	w := other.queue(other.request(dirOf(space)))
	second.Wait()
	proxy.Refuse()
	second.Lose()

	lost := make(chan time.Time, 1)
	go func() {
		<-l.Lost()
		lost <- time.Now()
	}()
	next := w.get()
	got := time.Now()
	select {
	case at := <-lost:
		if at.After(got) {
			t.Errorf("the lock was lost at %v, another got it at %v", at, got)
		}
	default:
		t.Error("two hold the lock")
	}
	if zookeeper.Now() < s.AliveUntil() {
		t.Error("the lock was given up too soon")
	}
	if !errors.Is(l.Err(), zookeeper.ErrSilence) {
		t.Errorf("lost by %v", l.Err())
	}
	if next.Token() <= l.Token() {
		t.Errorf("token %d follows %d", next.Token(), l.Token())
	}
	release(t, next)
	proxy.Accept() // to learn that the session is over
	release(t, l)
}
