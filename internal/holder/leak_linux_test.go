// SPDX-License-Identifier: MPL-2.0

package holder

import (
	"os"
	"runtime"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// A thousand locks, each second one waited for, leave no goroutine, descriptor,
// session, watch or znode with the two holders that took them in turn.
func TestAThousandLocksLeaveNothing(t *testing.T) {
	space := zktest.NewSpace(t)
	first, second := newLocal(t, self(t)), newLocal(t, otherRun(t))
	release := func(h *Local, req Request, grant Grant) {
		t.Helper()
		if err := h.Release(t.Context(), znodeOf(req, grant)); err != nil {
			t.Fatal(err)
		}
	}
	round := func() {
		held := request(t, space, "leak", 0)
		grant := take(t, first, held)
		waits := request(t, space, "leak", locker.NoLimit)
		queued := make(chan struct{}, 1)
		waits.Lock.Waiting = func(locker.Waiting) {
			select {
			case queued <- struct{}{}:
			default:
			}
		}
		waiting := begin(t, second, waits)
		await(t, "a waiter", queued)
		release(first, held, grant)
		r := await(t, "the lock", waiting)
		if r.err != nil {
			t.Fatal(r.err)
		}
		release(second, waits, r.grant)
	}
	round() // opens what stays open
	stats := func(name string) string {
		t.Helper()
		all, err := space.Server().Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return all[name]
	}
	descriptors := func() int {
		t.Helper()
		open, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(open)
	}
	sessions, watches, files, goroutines := stats("zk_global_sessions"), stats("zk_watch_count"), descriptors(), runtime.NumGoroutine()
	for range 500 {
		round()
	}
	if now := stats("zk_global_sessions"); now != sessions {
		t.Errorf("the server has %s sessions, had %s", now, sessions)
	}
	if now := stats("zk_watch_count"); now != watches {
		t.Errorf("the server has %s watches, had %s", now, watches)
	}
	eventually(t, "the end of what the locks have opened and begun", func() bool {
		return descriptors() <= files && runtime.NumGoroutine() <= goroutines
	})
	if n := first.Held() + second.Held(); n != 0 {
		t.Errorf("%d locks are in the books", n)
	}
}
