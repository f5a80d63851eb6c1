// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"errors"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

func TestReleaseTwice(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	proxy := zktest.NewProxy(t, space.Server())
	l := newClient(t, proxy.Addr()).lock(dirOf(space))
	requests := record(proxy)
	var releases sync.WaitGroup
	for range 5 {
		releases.Go(func() { release(t, l) })
	}
	releases.Wait()
	if got := requests.take(); len(got) != 1 {
		t.Errorf("five releases of one lock took %v", got)
	}
	next := newClient(t, space.Addr()).lock(dirOf(space))
	release(t, l)
	if n := len(space.Children(testDir)); n != 1 {
		t.Errorf("another release of a released lock left %d contenders", n)
	}
	release(t, next)
}

func TestReleaseWhatIsDeletedAlready(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	c := newClient(t, space.Addr())
	for name, remove := range map[string]func(string){
		"the contender": func(node string) { space.Delete(node) },
		"all":           func(node string) { space.Delete(node); space.Delete(testDir) },
	} {
		t.Run(name, func(t *testing.T) {
			l := c.lock(dirOf(space))
			remove(testDir + "/" + nameOf(l.Znode()))
			release(t, l)
			if space.Exists(testDir) {
				t.Error("the directory was left")
			}
		})
	}
}

// Only what is ours, and only what holds nothing.
func TestReleaseLeavesWhatIsNotOurs(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		data  string
		child string
	}{
		"data in the directory":  {data: "keep me"},
		"another client's child": {child: "config"},
		"a contender behind us":  {child: "zzz-lock-0000000009"},
		"both":                   {data: "keep me", child: "config"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			space := zktest.NewSpace(t)
			space.Create(DefaultRoot, nil, zktest.Persistent)
			space.Create(testDir, []byte(test.data), zktest.Persistent)
			var want []string
			if test.child != "" {
				space.Create(testDir+"/"+test.child, nil, zktest.Persistent)
				want = []string{test.child}
			}
			c := newClient(t, space.Addr())
			release(t, c.lock(dirOf(space)))
			if got := space.Children(testDir); !slices.Equal(got, want) {
				t.Errorf("the release left %q, want %q", got, want)
			}
			if data, _ := space.Get(testDir); string(data) != test.data {
				t.Errorf("the data are %q, want %q", data, test.data)
			}
			for _, child := range want {
				space.Delete(testDir + "/" + child)
			}
			space.Delete(testDir)
		})
	}
}

// An acquire that fails lets go in the same way.
func TestLeavingTheQueueLeavesWhatIsNotOurs(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	space.Create(DefaultRoot, nil, zktest.Persistent)
	space.Create(testDir, []byte("keep me"), zktest.Persistent)
	space.Create(testDir+"/lock-0000000000", nil, zktest.Persistent)
	c := newClient(t, space.Addr())
	req := c.request(dirOf(space))
	req.Wait = 0
	if _, err := Acquire(bounded(t), c.sessions, req); !errors.Is(err, ErrBusy) {
		t.Errorf("want ErrBusy, got %v", err)
	}
	if got := space.Children(testDir); !slices.Equal(got, []string{"lock-0000000000"}) {
		t.Errorf("there is %q", got)
	}
	space.Delete(testDir+"/lock-0000000000", testDir)
}

// The last two leave together: one of them has to see to the directory.
func TestTheLastTwoLeaveTogether(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	first, second := newClient(t, space.Addr()), newClient(t, space.Addr())
	for range 50 {
		l := first.lock(dirOf(space))
		w := second.queue(second.request(dirOf(space)))
		w.cancel(errCancelled)
		release(t, l)
		if got, err := w.end(); err == nil {
			release(t, got)
		}
		if space.Exists(testDir) {
			t.Fatal("the directory was left")
		}
	}
}

// Not parallel: it counts goroutines.
func TestLocksLeaveNoGoroutines(t *testing.T) {
	space := zktest.NewSpace(t)
	a, b := newClient(t, space.Addr()), newClient(t, space.Addr())
	release(t, a.lock(dirOf(space)))
	release(t, b.lock(dirOf(space)))
	// By their number: what keeps the locks of a session stops when it finds none, and is
	// started again.
	before := runtime.NumGoroutine()
	for range 100 {
		l := a.lock(dirOf(space))
		w := b.queue(b.request(dirOf(space)))
		release(t, l)
		release(t, w.get())
	}
	for limit := time.After(patience); runtime.NumGoroutine() > before; {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-limit:
			t.Fatalf("there are %d goroutines, and were %d before", runtime.NumGoroutine(), before)
		}
	}
}
