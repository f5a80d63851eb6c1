package locker

import (
	"errors"
	"sync/atomic"
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
	p := newProxy(t, space.Addr())
	c := newClient(t, p.addr)
	l := c.lock(dirOf(space))
	p.expire()
	await(t, "the loss", l.Lost())
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
	p := newProxy(t, space.Addr())
	c := newClientWith(t, p.addr, time.Second)
	l := c.lock(dirOf(space))
	for range 3 {
		var asked atomic.Int32
		seen := make(chan struct{})
		p.rule(func(pk packet) fate {
			if pk.answer && pk.n > 0 && asked.Add(1) == 2 { // by the lock's watch
				close(seen)
			}
			return passOn
		})
		p.hangUp()
		await(t, "two looks at the lock's znode", seen)
	}
	if l.Err() != nil {
		t.Errorf("lost by %v", l.Err())
	}
	release(t, l)
}

func TestReleasedLockIsNotLost(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	p := newProxy(t, space.Addr())
	c := newClient(t, p.addr)
	l := c.lock(dirOf(space))
	release(t, l)
	s := c.session()
	p.expire()
	await(t, "the session's end", s.Lost())
	if l.Err() != nil {
		t.Errorf("a released lock is lost by %v", l.Err())
	}
}

// A partition: the server expires the session and gives the lock to the next one,
// and by then the first has to know.
func TestLockIsLostBeforeAnotherGetsIt(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	p := newProxy(t, space.Addr())
	c := newClientWith(t, p.addr, 3*time.Second)
	s := c.session()

	// The server counts from the last ping too, which Answered does not: take the
	// lock right after one ping and part right after the next one, a third of the
	// timeout later. So much later than the lock is lost can another get it, at the
	// soonest.
	pings := make(chan struct{}, 100)
	p.rule(func(pk packet) fate {
		if pk.op == opPing && !pk.answer {
			pings <- struct{}{}
		}
		return passOn
	})
	awaitPing := func() {
		t.Helper()
		select {
		case <-pings:
		case <-bounded(t).Done():
			t.Fatal("no ping")
		}
	}
	awaitPing()
	l := c.lock(dirOf(space))
	other := newClient(t, space.Addr())
	w := other.queue(other.request(dirOf(space)))
	var parted atomic.Bool
	p.rule(func(pk packet) fate {
		if parted.Load() {
			return lose
		}
		if pk.op == opPing && !pk.answer {
			parted.Store(true) // this one still gets through
		}
		return passOn
	})

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
		if belief := s.Answered().Add(s.Timeout()); at.Before(belief) {
			t.Errorf("the lock was given up at %v, before %v", at, belief)
		}
	default:
		t.Error("two hold the lock")
	}
	if !parted.Load() || !errors.Is(l.Err(), ErrSilence) {
		t.Errorf("lost by %v", l.Err())
	}
	if next.Token() <= l.Token() {
		t.Errorf("token %d follows %d", next.Token(), l.Token())
	}
	release(t, next)
	p.rule(func(packet) fate { return passOn })
	p.hangUp() // to learn that the session is over
	release(t, l)
}

// What is sent still comes through and keeps the session alive, but no answer
// does: to believe on would be to guess.
func TestLockIsLostInSilence(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	p := newProxy(t, space.Addr())
	c := newClientWith(t, p.addr, time.Second)
	s := c.session()
	l := c.lock(dirOf(space))
	p.rule(func(pk packet) fate {
		if pk.answer {
			return lose
		}
		return passOn
	})
	await(t, "the loss", l.Lost())
	at := time.Now()
	if !errors.Is(l.Err(), ErrSilence) {
		t.Errorf("lost by %v", l.Err())
	}
	if belief := s.Answered().Add(s.Timeout()); at.Before(belief) {
		t.Errorf("the lock was given up at %v, before %v", at, belief)
	}
	p.rule(func(packet) fate { return passOn })
	p.hangUp()
	release(t, l)
	space.WaitChildren(testDir, 0)
	release(t, newClient(t, space.Addr()).lock(dirOf(space)))
}
