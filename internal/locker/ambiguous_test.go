package locker

import (
	"errors"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// ofKind matches the requests of one kind.
func ofKind(op zktest.Op) func(zktest.Packet) bool {
	return func(p zktest.Packet) bool { return p.Op == op }
}

// ping is what the client library sends by itself.
const ping zktest.Op = 11

// catchNth catches the n-th request from now on, or the reply to it, until it is
// called off.
func catchNth(p *zktest.Proxy, side zktest.Side, n int) (caught *zktest.Caught, callOff func()) {
	var seen, off atomic.Int32
	caught = p.Catch(side, func(packet zktest.Packet) bool {
		return packet.Op != ping && off.Load() == 0 && seen.Add(1) == int32(n) //nolint:gosec // a few
	})
	return caught, func() { off.Store(1) }
}

func TestTheAnswerToACreationIsLost(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		prepare func(*zktest.Space)
		op      zktest.Op
	}{
		"with the directory": {func(*zktest.Space) {}, zktest.OpMulti},
		"in the directory":   {func(s *zktest.Space) { s.Create(testDir, nil, zktest.Persistent) }, zktest.OpCreate},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			space := zktest.NewSpace(t)
			space.Create(DefaultRoot, nil, zktest.Persistent)
			test.prepare(space)
			proxy := zktest.NewProxy(t, space.Server())
			c := newClient(t, proxy.Addr())
			id := c.session().ID()
			caught := proxy.Catch(zktest.Reply, ofKind(test.op))
			w := c.start(c.request(dirOf(space)))
			caught.Wait()
			made := space.Children(testDir)
			caught.Lose()
			l := w.get()

			// The one that was made, and so its place in the queue.
			children := space.Children(testDir)
			if len(made) != 1 || !slices.Equal(children, made) || l.Znode() != space.Path(testDir+"/"+made[0]) {
				t.Fatalf("the lock is %s, the directory had %q and has %q", l.Znode(), made, children)
			}
			if _, stat := space.Get(testDir + "/" + children[0]); stat.Czxid != l.Token() || stat.EphemeralOwner != id {
				t.Errorf("the lock of session %#x has token %d, the contender is %+v", id, l.Token(), stat)
			}
			release(t, l)
			if space.Exists(testDir) {
				t.Error("the directory was left")
			}
		})
	}
}

func TestTheAnswerToAReleaseIsLost(t *testing.T) {
	t.Parallel()
	for name, op := range map[string]zktest.Op{"with the directory": zktest.OpMulti, "of the contender alone": zktest.OpDelete} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			space := zktest.NewSpace(t)
			proxy := zktest.NewProxy(t, space.Server())
			c, other := newClient(t, proxy.Addr()), newClient(t, space.Addr())
			l := c.lock(dirOf(space))
			var w *pending
			if op == zktest.OpDelete {
				w = other.queue(other.request(dirOf(space)))
			}
			caught := proxy.Catch(zktest.Reply, ofKind(op))
			caught.Lose()
			release(t, l)
			caught.Wait()
			if w != nil {
				release(t, w.get())
			}
			if space.Exists(testDir) {
				t.Error("the directory was left")
			}
		})
	}
}

// Whenever an acquire is cancelled, nothing of it is left.
func TestAnAcquireIsCancelledAnywhere(t *testing.T) {
	t.Parallel()
	for _, side := range []zktest.Side{zktest.Request, zktest.Reply} {
		t.Run([]string{"at a request", "at a reply"}[side], func(t *testing.T) {
			t.Parallel()
			space := zktest.NewSpace(t)
			proxy := zktest.NewProxy(t, space.Server())
			c, holder := newClient(t, proxy.Addr()), newClient(t, space.Addr())
			c.session()
			l := holder.lock(dirOf(space))
			for n, more := 1, true; more; n++ {
				caught, callOff := catchNth(proxy, side, n)
				w := c.start(c.request(dirOf(space)))
				select {
				case <-caught.Hit():
				case <-w.waiting: // there are not so many until it waits
					more = false
					callOff()
					if n < 5 {
						t.Errorf("there were %d packets", n-1)
					}
				}
				w.cancel(errCancelled)
				caught.Pass()
				if got, err := w.end(); got != nil || !errors.Is(err, errCancelled) {
					t.Errorf("cancelled at %d: %v, %v", n, got, err)
				}
				if children := space.Children(testDir); len(children) != 1 {
					t.Fatalf("cancelled at %d: the directory has %q", n, children)
				}
			}
			release(t, l)
		})
	}
}

// The server does not answer for longer than a cancelled acquire stays to see its
// contender removed, which happens all the same.
func TestAnAcquireIsCancelledWhileTheServerIsSilent(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	space.Create(DefaultRoot, nil, zktest.Persistent)
	proxy := zktest.NewProxy(t, space.Server())
	c := newClient(t, proxy.Addr())
	c.session()
	creation := proxy.Catch(zktest.Request, ofKind(zktest.OpMulti))
	w := c.start(c.request(dirOf(space)))
	creation.Wait()
	w.leave()
	created := proxy.Catch(zktest.Reply, ofKind(zktest.OpMulti))
	removed := proxy.Catch(zktest.Reply, ofKind(zktest.OpMulti))
	creation.Pass()
	created.Pass()
	created.Wait()
	removed.Pass()
	removed.Wait()
	if tree := space.Tree(); !slices.Equal(tree, []string{DefaultRoot}) {
		t.Errorf("there is %q", tree)
	}
}
