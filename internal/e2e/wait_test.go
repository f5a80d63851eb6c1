// SPDX-License-Identifier: MPL-2.0

//go:build unix

package e2e

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/testkit"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// A lock that someone else holds is an error once lockwait is over, which says
// everything that one needs to know about who has it.
func TestHeldLockIsAnError(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	gate := testkit.NewGate(t)
	holding := newWorkspace(t, provider(space, `owner = "the release team"`),
		lock("a", `info = "rolling out 1.2.3"`), guarded("work", "a", `"1"`, gate.Work()))
	before := time.Now()
	held := holding.Apply()
	gate.AwaitBegun()
	znode := lockDir + "/" + space.WaitChildren(lockDir, 1)[0]
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}

	for name, tc := range map[string]struct {
		lockwait int
		queued   bool // another run waits before us
		says     []string
	}{
		"tried once":        {0, false, []string{"lockwait is 0", "place 1 "}},
		"waited in a queue": {3, true, []string{"lockwait = 3 seconds", "place 2 "}},
	} {
		t.Run(name, func(t *testing.T) {
			var earlier *testkit.Command
			if tc.queued {
				earlier = newWorkspace(t, provider(space), lock("a", "lockwait = -1")).Apply()
				space.WaitChildren(lockDir, 2)
			}
			w := newWorkspace(t, provider(space), lock("a", fmt.Sprintf("lockwait = %d", tc.lockwait)))
			start := time.Now()
			apply := w.Apply()
			apply.Fail()
			took := apply.Ended.Sub(start)
			t.Logf("lockwait = %d: the run took %v", tc.lockwait, took.Round(time.Millisecond))
			if took < time.Duration(tc.lockwait)*time.Second {
				t.Errorf("the run ended after %v, before lockwait was over", took)
			}

			d := apply.Err()
			if d.Summary != "Lock Is Held" || d.Address != "clocker_lock.a" || !strings.Contains(d.Snippet.Code, "lockid") {
				t.Errorf("the error is not on the lockid: %v", d)
			}
			says := []string{`"e2e"`, "the release team", "on host " + host, `"rolling out 1.2.3"`, space.Path(znode)}
			for _, want := range slices.Concat(says, tc.says) {
				if !strings.Contains(d.Detail, want) {
					t.Errorf("the error does not say %q: %v", want, d)
				}
			}
			since, err := time.Parse(time.RFC3339, between(d.Detail, "since ", ","))
			if err != nil || since.Before(before.Truncate(time.Second)) || since.After(time.Now()) {
				t.Errorf("the error says that the lock is held since %v (%v)", since, err)
			}
			if earlier != nil {
				earlier.Interrupt()
				earlier.Fail()
			}
			space.WaitChildren(lockDir, 1)
		})
	}
	gate.End()
	held.Succeed()
}

func between(s, before, after string) string {
	_, s, _ = strings.Cut(s, before)
	s, _, _ = strings.Cut(s, after)
	return s
}

// A lock that becomes free in time is taken.
func TestLockThatBecomesFreeInTimeIsTaken(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	other := holdForeign(space)
	w := newWorkspace(t, provider(space), lock("a", "lockwait = 60"))
	apply := w.Apply()
	space.WaitChildren(lockDir, 2)
	space.Delete(lockDir + "/" + other)
	apply.Succeed()
}

// Runs get the lock in the order in which they queued.
func TestWaitingRunsGetTheLockInTurn(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	other := holdForeign(space)
	const runs = 3
	var (
		gates   [runs]*testkit.Gate
		applies [runs]*testkit.Command
		queue   = []string{other}
	)
	for i := range runs {
		gates[i] = testkit.NewGate(t)
		w := newWorkspace(t, provider(space), lock("a", "lockwait = -1"), guarded("work", "a", `"1"`, gates[i].Work()))
		applies[i] = w.Apply()
		for _, name := range space.WaitChildren(lockDir, i+2) {
			if !slices.Contains(queue, name) {
				queue = append(queue, name)
			}
		}
	}
	space.Delete(lockDir + "/" + other)
	for i := range runs {
		gates[i].AwaitBegun()
		if left := space.Children(lockDir); len(left) != runs-i || !slices.Contains(left, queue[i+1]) {
			t.Errorf("while run %d works the queue is %q, want %q", i+1, left, queue[i+1:])
		}
		for later := i + 1; later < runs; later++ {
			if gates[later].HasBegun() {
				t.Errorf("run %d works before its turn, during that of run %d", later+1, i+1)
			}
		}
		gates[i].End()
		applies[i].Succeed()
	}
}
