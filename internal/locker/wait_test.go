// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// crowd is a holder and those that wait behind it, in order.
func crowd(t *testing.T, space *zktest.Space, waiters int) (*Lock, []*pending) {
	t.Helper()
	l := newClient(t, space.Addr()).lock(dirOf(space))
	queue := make([]*pending, waiters)
	for i := range queue {
		c := newClient(t, space.Addr())
		queue[i] = c.start(c.request(dirOf(space)))
		if w := queue[i].looks(); w.Place != i+1 {
			t.Fatalf("waiter %d is at place %d", i+1, w.Place)
		}
	}
	return l, queue
}

func TestFirstInFirstOut(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	l, queue := crowd(t, space, 3)
	for i, next := range queue {
		if children := space.Children(testDir); len(children) != 1+len(queue)-i {
			t.Errorf("before waiter %d has it there are %q", i+1, children)
		}
		release(t, l)
		l = next.get()
		for _, later := range queue[i+1:] {
			select {
			case <-later.done:
				t.Fatalf("a later waiter ended with %v, %v", later.lock, later.err)
			default:
			}
		}
	}
	release(t, l)
	if space.Exists(testDir) {
		t.Error("the directory was left")
	}
}

// The one who wakes up must look: who left was not the holder.
func TestAWaiterBeforeUsLeaves(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	l, queue := crowd(t, space, 3)
	for i, leaver := range queue[:2] {
		leaver.leave()
		w := queue[i+1].looks()
		if w.Place != 1 || w.Next.Znode != l.Znode() {
			t.Errorf("after %d have left the next is at place %d behind %s, want 1 and %s", i+1, w.Place, w.Next.Znode, l.Znode())
		}
	}
	release(t, l)
	release(t, queue[2].get())
}

// Any order of leaving: only who is next to the holder gets the lock, and only
// who stood behind the one that left is woken.
func TestLeavingInAnyOrder(t *testing.T) {
	t.Parallel()
	r := seeded(newSeed(t), 0)
	space := zktest.NewSpace(t)
	for range 15 {
		l, queue := crowd(t, space, 6)
		left := []int{0, 1, 2, 3, 4, 5}
		for {
			if i := r.IntN(len(left) + 1); i < len(left) {
				queue[left[i]].leave()
				left = slices.Delete(left, i, i+1)
				if i < len(left) {
					queue[left[i]].looks()
				}
			} else {
				release(t, l)
				if len(left) == 0 {
					break
				}
				l = queue[left[0]].get()
				left = left[1:]
				if len(left) > 0 {
					queue[left[0]].looks() // at what the holder says now
				}
			}
			for _, i := range left {
				select {
				case <-queue[i].done:
					t.Fatalf("waiter %d ended with %v, %v while another held it", i+1, queue[i].lock, queue[i].err)
				default:
				}
			}
		}
		for i, p := range queue {
			if n := len(p.waiting); n != 0 {
				t.Errorf("waiter %d was woken %d times for nothing", i+1, n)
			}
		}
		if space.Exists(testDir) {
			t.Error("the directory was left")
		}
	}
}

// Other clients' contenders count, whatever they are called.
func TestOtherClientsBlock(t *testing.T) {
	t.Parallel()
	const hex = "0123456789abcdef0123456789abcdef"
	for name, prefix := range map[string]string{
		"zk gem, exclusive": "ex", "zk gem, shared": "sh",
		"Kazoo lock": hex + "__lock__", "Kazoo reader": hex + "__rlock__",
		"Curator mutex":  "_c_6b7d2b8e-93c1-4d3c-9d52-2f3a1f0f3a11-lock-",
		"Curator writer": "_c_6b7d2b8e-93c1-4d3c-9d52-2f3a1f0f3a11-__WRIT__",
		"Curator reader": "_c_6b7d2b8e-93c1-4d3c-9d52-2f3a1f0f3a11-__READ__",
		"go-zookeeper":   "_c_" + hex + "-lock-",
		"recipe, reader": "read-", "recipe, writer": "write-",
		"an unknown one": "mutex-",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			space := zktest.NewSpace(t)
			space.Create(DefaultRoot, nil, zktest.Persistent)
			space.Create(testDir, nil, zktest.Persistent)
			other := space.Create(testDir+"/"+prefix, []byte("their data"), zktest.EphemeralSequential)
			c := newClient(t, space.Addr())
			w := c.start(c.request(dirOf(space)))
			if look := w.looks(); look.Next.Znode != space.Path(other) || look.Next.Data.Owner != "their data" {
				t.Errorf("we wait for %+v, want %s", look.Next, other)
			}
			space.Delete(other)
			release(t, w.get())
		})
	}
}

// A contender that is made by hand, below those that wait already.
func TestALowerContenderAppears(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"x-lock--000000005", "ex-000000005", "-000000005"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			space := zktest.NewSpace(t)
			l, queue := crowd(t, space, 1)
			lower := space.Create(testDir+"/"+name, nil, zktest.Ephemeral)
			release(t, l)
			if w := queue[0].looks(); w.Next.Znode != space.Path(lower) || w.Place != 1 {
				t.Errorf("we wait at place %d for %s, want %s", w.Place, w.Next.Znode, lower)
			}
			space.Delete(lower)
			release(t, queue[0].get())
		})
	}
}

func TestOwnContenderIsDeletedWhileWaiting(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	l, queue := crowd(t, space, 1)
	children := space.Children(testDir)
	own := slices.DeleteFunc(children, func(name string) bool { return space.Path(testDir+"/"+name) == l.Znode() })[0]
	space.Delete(testDir + "/" + own)
	if w := queue[0].looks(); w.Next.Znode != l.Znode() { // it has queued again
		t.Errorf("who was deleted waits for %s, want %s", w.Next.Znode, l.Znode())
	}
	later := newClient(t, space.Addr())
	second := later.queue(later.request(dirOf(space)))

	release(t, l)
	l = queue[0].get()
	if l.Znode() == space.Path(testDir+"/"+own) {
		t.Errorf("%s holds the lock, which was deleted", own)
	}
	release(t, l)
	release(t, second.get())
}

// Each time the session is lost the acquire queues again, but for no longer in all
// than was asked for: this would go on for ever otherwise.
func TestTheSessionExpiresWhileWaiting(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	l := newClient(t, space.Addr()).lock(dirOf(space))
	proxy := zktest.NewProxy(t, space.Server())
	c := newClient(t, proxy.Addr())
	c.session()
	req := c.request(dirOf(space))
	req.Wait = 2 * time.Second
	w := c.start(req)
	sessions := map[int64]bool{}
	for waiting := true; waiting; {
		select {
		case <-w.waiting:
			sessions[c.session().ID()] = true
			proxy.Expire()
		case <-w.done:
			waiting = false
		case <-bounded(t).Done():
			t.Fatal("the acquire does not end")
		}
	}
	var busy *BusyError
	if w.lock != nil || !errors.As(w.err, &busy) || busy.Waited != req.Wait || busy.Place != 1 {
		t.Errorf("the acquire ended with %v, %v", w.lock, w.err)
	}
	if len(sessions) < 2 {
		t.Errorf("it queued with %d sessions", len(sessions))
	}
	space.WaitChildren(testDir, 1)
	release(t, l)
}

func TestANewSessionGetsTheLock(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	l := newClient(t, space.Addr()).lock(dirOf(space))
	proxy := zktest.NewProxy(t, space.Server())
	c := newClient(t, proxy.Addr())
	w := c.queue(c.request(dirOf(space)))
	old := c.session().ID()
	proxy.Expire()
	w.looks()
	release(t, l)
	l = w.get()
	if _, stat := space.Get(testDir + "/" + space.WaitChildren(testDir, 1)[0]); stat.EphemeralOwner == old || stat.Czxid != l.Token() {
		t.Errorf("the lock is held by session %#x with token %d, the old one is %#x", stat.EphemeralOwner, l.Token(), old)
	}
	release(t, l)
}

// An event that comes while the connection is down is lost; the waiter must not
// be.
func TestTheHolderLeavesWhileTheConnectionIsDown(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	l := newClient(t, space.Addr()).lock(dirOf(space))
	proxy := zktest.NewProxy(t, space.Server())
	c := newClient(t, proxy.Addr())
	w := c.queue(c.request(dirOf(space)))
	proxy.Refuse()
	release(t, l)
	proxy.Accept()
	release(t, w.get())
}

// The wait is over and no server says how the queue stands.
func TestNoVerdict(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	l := newClient(t, space.Addr()).lock(dirOf(space))
	proxy := zktest.NewProxy(t, space.Server())
	c := newClient(t, proxy.Addr())
	req := c.request(dirOf(space))
	req.Wait = 0
	last := proxy.Catch(zktest.Request, ofKind(zktest.OpChildren))
	w := c.start(req)
	last.Wait()
	proxy.Refuse()
	last.Lose()
	if got, err := w.end(); got != nil || !errors.Is(err, errNoVerdict) {
		t.Errorf("the acquire ended with %v, %v", got, err)
	}
	proxy.Accept()
	space.WaitChildren(testDir, 1)
	release(t, l)
}

func ExampleBusyError() {
	err := &BusyError{LockID: "deploy", Waited: time.Minute, Place: 2, Holders: []Entry{{
		Data:  Data{Owner: "anna@build", Info: "web", Since: time.Unix(0, 0)},
		Znode: "/_zklocking/deploy/ex-1",
	}}}
	fmt.Println(err)
	// Output: lock "deploy" is held by anna@build (in the queue since 1970-01-01T00:00:00Z, info "web", znode /_zklocking/deploy/ex-1); not free within 1m0s; we were at place 2 of the queue
}
