package locker

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// answerLost breaks the connection when the first request of op has been carried
// out and its answer is on the way.
func (p *proxy) answerLost(op uint32) <-chan struct{} {
	lost := make(chan struct{})
	var once sync.Once
	p.rule(func(pk packet) (what fate) {
		if pk.op == op && pk.answer {
			once.Do(func() {
				close(lost)
				what = breakOff
			})
		}
		return what
	})
	return lost
}

func TestTheAnswerToACreationIsLost(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		prepare func(*zktest.Space)
		op      uint32
	}{
		"with the directory": {func(*zktest.Space) {}, opMulti},
		"in the directory":   {func(s *zktest.Space) { s.Create(testDir, nil, zktest.Persistent) }, opCreate},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			space := zktest.NewSpace(t)
			space.Create(DefaultRoot, nil, zktest.Persistent)
			test.prepare(space)
			p := newProxy(t, space.Addr())
			c := newClient(t, p.addr)
			id := c.session().ID()
			lost := p.answerLost(test.op)
			l := c.lock(dirOf(space))
			await(t, "the loss of the answer", lost)

			children := space.Children(testDir)
			if len(children) != 1 || l.Znode() != space.Path(testDir+"/"+children[0]) {
				t.Errorf("the lock is %s, the directory has %q", l.Znode(), children)
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
	for name, op := range map[string]uint32{"with the directory": opMulti, "of the contender alone": opDelete} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			space := zktest.NewSpace(t)
			p := newProxy(t, space.Addr())
			c, other := newClient(t, p.addr), newClient(t, space.Addr())
			l := c.lock(dirOf(space))
			var w *pending
			if op == opDelete {
				w = other.queue(other.request(dirOf(space)))
			}
			lost := p.answerLost(op)
			release(t, l)
			await(t, "the loss of the answer", lost)
			if w != nil {
				release(t, w.get())
			}
			if space.Exists(testDir) {
				t.Error("the directory was left")
			}
		})
	}
}

// Whichever packet is lost, there is one contender, one holder, and nothing left.
func TestTheConnectionBreaksAnywhere(t *testing.T) {
	t.Parallel()
	for _, waiting := range []bool{false, true} {
		for _, answer := range []bool{false, true} {
			name := fmt.Sprintf("%s of one who %s",
				map[bool]string{false: "a request", true: "an answer"}[answer],
				map[bool]string{false: "is alone", true: "waits"}[waiting])
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				space := zktest.NewSpace(t)
				p := newProxy(t, space.Addr())
				c, other := newClient(t, p.addr), newClient(t, space.Addr())
				c.session()
				for n := 1; ; n++ {
					var broken atomic.Bool
					p.rule(func(pk packet) fate {
						if pk.n == n && pk.answer == answer && broken.CompareAndSwap(false, true) {
							return breakOff
						}
						return passOn
					})
					if waiting {
						l := other.lock(dirOf(space))
						w := c.queue(c.request(dirOf(space)))
						release(t, l)
						l = w.get()
						if children := space.Children(testDir); len(children) != 1 {
							t.Errorf("broken at %d: the directory has %q", n, children)
						}
						release(t, l)
					} else {
						l := c.lock(dirOf(space))
						if children := space.Children(testDir); len(children) != 1 {
							t.Errorf("broken at %d: the directory has %q", n, children)
						}
						release(t, l)
					}
					if tree := space.Tree(); !slices.Equal(tree, []string{DefaultRoot}) {
						t.Fatalf("broken at %d: there is %q", n, tree)
					}
					if !broken.Load() {
						if n < 3 {
							t.Errorf("there were %d packets", n-1)
						}
						return
					}
				}
			})
		}
	}
}

// Whenever an acquire is cancelled, nothing of it is left.
func TestAnAcquireIsCancelledAnywhere(t *testing.T) {
	t.Parallel()
	for _, answer := range []bool{false, true} {
		t.Run(map[bool]string{false: "at a request", true: "at an answer"}[answer], func(t *testing.T) {
			t.Parallel()
			space := zktest.NewSpace(t)
			p := newProxy(t, space.Addr())
			c, holder := newClient(t, p.addr), newClient(t, space.Addr())
			c.session()
			l := holder.lock(dirOf(space))
			for n := 1; ; n++ {
				reached := make(chan struct{})
				p.rule(func(pk packet) fate {
					if pk.n == n && pk.answer == answer {
						close(reached)
					}
					return passOn
				})
				w := c.start(c.request(dirOf(space)))
				select {
				case <-reached:
				case <-w.waiting:
				}
				w.cancel(errCancelled)
				if got, err := w.end(); got != nil || !errors.Is(err, errCancelled) {
					t.Errorf("cancelled at %d: %v, %v", n, got, err)
				}
				if children := space.Children(testDir); len(children) != 1 {
					t.Fatalf("cancelled at %d: the directory has %q", n, children)
				}
				select {
				case <-reached:
				default: // there were not so many packets until it waited, and left
					if n < 5 {
						t.Errorf("there were %d packets", n-1)
					}
					release(t, l)
					return
				}
			}
		})
	}
}

// The server does not answer for longer than a cancelled acquire stays to see its
// contender removed, which happens all the same.
func TestAnAcquireIsCancelledWhileTheServerIsSilent(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	p := newProxy(t, space.Addr())
	c := newClient(t, p.addr)
	c.session()
	reached, goOn, removed := make(chan struct{}), make(chan struct{}), make(chan struct{})
	var multis atomic.Int32
	p.rule(func(pk packet) fate {
		switch {
		case pk.op != opMulti:
		case !pk.answer && pk.n == 1:
			close(reached)
			<-goOn
		case pk.answer && multis.Add(1) == 2: // made it, removed it
			close(removed)
		}
		return passOn
	})
	space.Create(DefaultRoot, nil, zktest.Persistent) // so that it is made at once
	w := c.start(c.request(dirOf(space)))
	await(t, "the request", reached)
	w.leave()
	close(goOn)
	await(t, "the removal", removed)
	if tree := space.Tree(); !slices.Equal(tree, []string{DefaultRoot}) {
		t.Errorf("there is %q", tree)
	}
}
