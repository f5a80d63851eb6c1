// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"errors"
	"slices"
	"sync"
	"testing"

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
