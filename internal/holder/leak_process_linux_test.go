// SPDX-License-Identifier: MPL-2.0

package holder

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// A thousand acquires of one holder process (free locks, locks that are waited for,
// and waits that are given up) leave it the descriptors that it had, and the server
// the sessions, connections, watches and znodes. What a process keeps of threads
// depends on how many were busy at once: not one per lock.
func TestAThousandAcquiresLeaveAHolderProcessAsItWas(t *testing.T) {
	t.Setenv(EnvDebug, "true") // else only root may look
	space := zktest.NewSpace(t)
	p := newProcess(t, startTerraform(t).Run)
	other := newLocal(t, otherRun(t))
	l := leak{t, space, p, other}
	cycle := func() {
		t.Helper()
		l.free()
		l.free()
		l.waited()
		l.givenUp()
	}
	cycle() // opens what stays open
	pid := holder(t).Pid
	before, threads := countAll(t, space.Server(), pid)
	const cycles = 250
	for range cycles {
		cycle()
	}
	if again := holder(t).Pid; again != pid {
		t.Fatalf("holder process %d has become %d", pid, again)
	}
	eventually(t, "the end of what the locks have opened", func() bool {
		now, _ := countAll(t, space.Server(), pid)
		return now == before
	})
	_, now := countAll(t, space.Server(), pid)
	t.Logf("after %d acquires: %+v, %d threads, before %d", 4*cycles, before, now, threads)
	if now > threads+cycles/4 {
		t.Errorf("there are %d threads, there were %d", now, threads)
	}
}

// counts are what must not grow.
type counts struct {
	descriptors                    int // of the holder process
	sessions, connections, watches string
}

func countAll(t *testing.T, server *zktest.Server, pid int32) (c counts, threads int) {
	t.Helper()
	stats, err := server.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	proc := filepath.Join("/proc", strconv.Itoa(int(pid)))
	open, err := os.ReadDir(filepath.Join(proc, "fd"))
	if err != nil {
		t.Fatal(err)
	}
	tasks, err := os.ReadDir(filepath.Join(proc, "task"))
	if err != nil {
		t.Fatal(err)
	}
	return counts{len(open), stats["zk_global_sessions"], stats["zk_num_alive_connections"], stats["zk_watch_count"]}, len(tasks)
}

// leak is one acquire of a holder process, and another run to wait for.
type leak struct {
	t     *testing.T
	space *zktest.Space
	p     *Remote
	other *Local
}

func (l leak) free() {
	l.t.Helper()
	req := request(l.t, l.space, "leak", 0)
	l.release(l.p, take(l.t, l.p, req))
}

func (l leak) waited() {
	l.t.Helper()
	held, waiting, cancel := l.wait()
	defer cancel()
	l.release(l.other, held)
	r := await(l.t, "the lock", waiting)
	if r.err != nil {
		l.t.Fatal(r.err)
	}
	l.release(l.p, r.grant)
}

func (l leak) givenUp() {
	l.t.Helper()
	held, waiting, cancel := l.wait()
	cancel()
	if r := await(l.t, "the end of a wait", waiting); r.err == nil {
		l.t.Fatalf("a wait that was given up: %+v", r)
	}
	l.release(l.other, held)
}

// wait begins to wait for a lock that the other run holds.
func (l leak) wait() (held Grant, waiting <-chan result, cancel context.CancelFunc) {
	l.t.Helper()
	held = take(l.t, l.other, request(l.t, l.space, "leak", 0))
	req := request(l.t, l.space, "leak", locker.NoLimit)
	queued := make(chan struct{}, 1)
	req.Lock.Waiting = func(locker.Waiting) {
		select {
		case queued <- struct{}{}:
		default:
		}
	}
	ctx, cancel := context.WithCancel(l.t.Context())
	done := make(chan result, 1)
	go func() {
		grant, err := l.p.Acquire(ctx, req)
		done <- result{grant, err}
	}()
	await(l.t, "a waiter", queued)
	return held, done, cancel
}

func (l leak) release(h Holder, grant Grant) {
	l.t.Helper()
	req := request(l.t, l.space, "leak", 0)
	if err := h.Release(l.t.Context(), znodeOf(req, grant)); err != nil {
		l.t.Fatal(err)
	}
}
