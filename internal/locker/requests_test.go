package locker

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// recorder collects the requests that pass a proxy, without the library's pings.
type recorder struct {
	mu  sync.Mutex
	ops []zktest.Op
}

func record(p *zktest.Proxy) *recorder {
	r := &recorder{}
	p.Catch(zktest.Request, func(packet zktest.Packet) bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		if packet.Op != ping {
			r.ops = append(r.ops, packet.Op)
		}
		return false
	})
	return r
}

// take returns what was collected since the last time.
func (r *recorder) take() []zktest.Op {
	r.mu.Lock()
	defer r.mu.Unlock()
	ops := r.ops
	r.ops = nil
	return ops
}

func TestRequestsOfAnUncontendedLock(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	proxy := zktest.NewProxy(t, space.Server())
	c := newClient(t, proxy.Addr())
	release(t, c.lock(dirOf(space))) // makes the root
	requests := record(proxy)
	for range 3 {
		release(t, c.lock(dirOf(space)))
		// A machine that is slow takes the time in which a held lock comes to be watched.
		got := slices.DeleteFunc(requests.take(), func(op zktest.Op) bool { return op == zktest.OpGetData })
		if !slices.Equal(got, []zktest.Op{zktest.OpMulti, zktest.OpMulti}) {
			t.Errorf("the requests are %v, want two transactions", got)
		}
	}
}

// Where somebody waits, one request releases the lock, and the waiter needs a look and
// the word of a quorum.
func TestRequestsOfAHandOver(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	first, second := zktest.NewProxy(t, space.Server()), zktest.NewProxy(t, space.Server())
	a, b, c := newClient(t, first.Addr()), newClient(t, second.Addr()), newClient(t, space.Addr())
	l := c.lock(dirOf(space))
	holder := a.queue(a.request(dirOf(space)))
	b.session()
	leaving, waiting := record(first), record(second)
	waiter := b.queue(b.request(dirOf(space)))
	if got := waiting.take(); !sameRequests(got, zktest.OpMulti, zktest.OpCreate, zktest.OpChildren, zktest.OpGetData, zktest.OpGetData) {
		t.Errorf("to queue took %v", got)
	}
	release(t, l)
	l = holder.get() // knows of the waiter, as it has looked
	waiter.looks()   // as the one before it says since when it holds the lock
	leaving.take()
	waiting.take()
	release(t, l)
	l = waiter.get()
	if got := leaving.take(); !slices.Equal(got, []zktest.Op{zktest.OpDelete, zktest.OpGetACL}) {
		t.Errorf("to hand over took %v", got)
	}
	if got := waiting.take(); !sameRequests(got, zktest.OpChildren, zktest.OpSetData) {
		t.Errorf("to get it took %v", got)
	}
	release(t, l)
}

func sameRequests(got []zktest.Op, want ...zktest.Op) bool {
	got = slices.Clone(got)
	slices.Sort(got)
	slices.Sort(want)
	return slices.Equal(got, want)
}

// The same by the server's own count, and what becomes of a lock when that server
// is paused.
func TestOwnServer(t *testing.T) {
	t.Parallel()
	server := zktest.Own(t, zktest.Options{})
	space := zktest.NewSpaceOn(t, server)
	patient := newClientWith(t, server.Addr(), time.Minute) // pings every 20 s
	release(t, patient.lock(dirOf(space)))

	t.Run("counts two requests for a lock", func(t *testing.T) {
		const pairs = 50
		before, err := server.PacketsReceived(bounded(t))
		if err != nil {
			t.Fatal(err)
		}
		for range pairs {
			release(t, patient.lock(dirOf(space)))
		}
		after, err := server.PacketsReceived(bounded(t))
		if err != nil {
			t.Fatal(err)
		}
		// A ping of the space's session may be among them, but not one per lock.
		n := after - before
		t.Logf("%d packets for %d locks", n, pairs)
		if n < 2*pairs || n >= 3*pairs {
			t.Errorf("%d locks took %d packets", pairs, n)
		}
	})

	t.Run("is paused", func(t *testing.T) {
		c := newClientWith(t, server.Addr(), time.Second)
		l := c.lock(dirOf(space))
		s := c.session()
		if err := server.Pause(); err != nil {
			t.Fatal(err)
		}
		await(t, "the loss", l.Lost())
		// The server cannot have said that the session is over.
		if !errors.Is(l.Err(), zookeeper.ErrSilence) {
			t.Errorf("lost by %v", l.Err())
		}
		if zookeeper.Now() < s.AliveUntil() {
			t.Error("the lock was given up too soon")
		}
		if err := server.Resume(); err != nil {
			t.Fatal(err)
		}
		release(t, l)
		next := patient.lock(dirOf(space))
		if next.Token() <= l.Token() {
			t.Errorf("token %d follows %d", next.Token(), l.Token())
		}
		release(t, next)
	})

	t.Run("restarts under a holder and a waiter", func(t *testing.T) {
		l := patient.lock(dirOf(space))
		c := newClientWith(t, server.Addr(), time.Minute)
		w := c.queue(c.request(dirOf(space)))
		if err := server.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := server.Restart(bounded(t)); err != nil {
			t.Fatal(err)
		}
		release(t, l)
		if l.Err() != nil {
			t.Errorf("lost by %v", l.Err())
		}
		release(t, w.get())
	})

	t.Run("is away when an acquire is cancelled", func(t *testing.T) {
		l := patient.lock(dirOf(space))
		c := newClientWith(t, server.Addr(), time.Minute)
		w := c.queue(c.request(dirOf(space)))
		if err := server.Kill(); err != nil {
			t.Fatal(err)
		}
		w.leave() // before the server is back
		if err := server.Restart(bounded(t)); err != nil {
			t.Fatal(err)
		}
		space.WaitChildren(testDir, 1)
		release(t, l)
	})
}

// The pool is closed under an acquire that waits.
func TestThePoolIsClosedWhileWaiting(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	l := newClient(t, space.Addr()).lock(dirOf(space))
	c := newClient(t, space.Addr())
	w := c.queue(c.request(dirOf(space)))
	c.pool.Close()
	if got, err := w.end(); got != nil || !errors.Is(err, zookeeper.ErrClosed) {
		t.Errorf("the acquire ended with %v, %v", got, err)
	}
	if n := len(space.Children(testDir)); n != 1 {
		t.Errorf("there are %d contenders", n)
	}
	release(t, l)
}
