package locker

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"go.uber.org/goleak"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

var worldACL = zk.WorldACL(zk.PermAll)

// guarded is what a lock guards: it notices two at once, and one that comes with
// an older token than another before.
type guarded struct {
	t      *testing.T
	inside atomic.Int32
	token  atomic.Int64
	visits atomic.Int32
}

// visit does work inside. A client that knows no token has 0.
func (g *guarded) visit(token int64, work func()) {
	if n := g.inside.Add(1); n != 1 {
		g.t.Errorf("%d are inside", n)
	}
	if token != 0 {
		if last := g.token.Swap(token); last >= token {
			g.t.Errorf("token %d follows %d", token, last)
		}
	}
	work()
	g.visits.Add(1)
	g.inside.Add(-1)
}

// Ours and go-zookeeper's locks in one queue; connections break, and some lose
// patience.
func TestOneAtATime(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	dir := dirOf(space)
	g := &guarded{t: t}
	seed := newSeed(t)
	const clients, rounds = 6, 20
	var running sync.WaitGroup
	for i := range clients {
		r := seeded(seed, uint64(i))
		proxy := zktest.NewProxy(t, space.Server())
		c := newClient(t, proxy.Addr())
		running.Go(func() {
			for range rounds {
				req := c.request(dir)
				if r.IntN(4) == 0 {
					req.Wait = time.Duration(r.IntN(20)) * time.Millisecond
				}
				if r.IntN(4) == 0 {
					caught, callOff := catchNth(proxy, zktest.Side(r.IntN(2)), 1+r.IntN(6))
					defer callOff()
					caught.Lose()
				}
				l, err := Acquire(bounded(t), c.sessions, req)
				if errors.Is(err, ErrBusy) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				g.visit(l.Token(), func() {
					if r.IntN(3) == 0 {
						proxy.Cut()
					}
					_, _ = c.session().Stat(bounded(t), dir) // takes its time
				})
				if l.Err() != nil {
					t.Errorf("lost by %v", l.Err())
				}
				release(t, l)
			}
		})
	}
	other := space.NewSession(time.Minute)
	running.Go(func() {
		for range rounds {
			l := zk.NewLock(other, dir, worldACL)
			if err := l.Lock(); err != nil {
				continue // it does not always stand a directory that vanishes
			}
			g.visit(0, func() { _, _, _ = other.Exists(dir) })
			if err := l.Unlock(); err != nil {
				t.Error(err)
			}
		}
	})
	running.Wait()
	t.Logf("%d visits", g.visits.Load())
	if g.visits.Load() < clients*rounds/2 {
		t.Errorf("only %d visits", g.visits.Load())
	}
	space.WaitChildren(testDir, 0)
	if space.Exists(testDir) {
		space.Delete(testDir) // go-zookeeper leaves it when it comes last
	}
}

// Not parallel: it counts goroutines.
func TestLocksLeaveNoGoroutines(t *testing.T) {
	space := zktest.NewSpace(t)
	a, b := newClient(t, space.Addr()), newClient(t, space.Addr())
	release(t, a.lock(dirOf(space)))
	release(t, b.lock(dirOf(space)))
	before := goleak.IgnoreCurrent()
	for range 100 {
		l := a.lock(dirOf(space))
		w := b.queue(b.request(dirOf(space)))
		release(t, l)
		release(t, w.get())
	}
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
}
