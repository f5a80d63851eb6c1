// SPDX-License-Identifier: MPL-2.0

//go:build unix

package e2e

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/testkit"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// What runs notice when servers of an ensemble fail.
func TestEnsemble(t *testing.T) {
	t.Parallel()
	ensemble := zktest.OwnEnsemble(t, 3, zktest.Options{})
	for block := range blocks {
		t.Run("fails over under "+block, func(t *testing.T) { failOver(t, ensemble, block) })
	}
	t.Run("has no quorum for longer than the timeout", func(t *testing.T) { noQuorum(t, ensemble) })
}

// failOver kills the leader under a run that holds a lock and one that waits for it:
// they notice nothing.
func failOver(t *testing.T, ensemble *zktest.Ensemble, block string) {
	if strings.HasPrefix(block, "ephemeral") {
		testkit.Needs(t, testkit.EphemeralBlocks)
	}
	space := zktest.NewSpaceOn(t, ensemble.Servers()...)
	gates, runs, applies := [2]*testkit.Gate{}, [2]*workspace{}, [2]*testkit.Command{}
	var queue []string
	tokens := map[string]int64{}
	for i := range runs {
		gates[i] = testkit.NewGate(t)
		runs[i] = newWorkspace(t, provider(space), blocks[block]("a", "lockwait = -1"), after(block, "work", gates[i].Work()))
		applies[i] = runs[i].Apply()
		for _, name := range space.WaitChildren(lockDir, i+1) {
			if !slices.Contains(queue, name) {
				queue = append(queue, name)
				_, stat := space.Get(lockDir + "/" + name)
				tokens[name] = stat.Czxid
			}
		}
	}
	gates[0].AwaitBegun()
	killed, err := ensemble.Leader(bounded(t))
	if err == nil {
		err = killed.Kill()
	}
	if err == nil {
		_, err = ensemble.Leader(bounded(t))
	}
	if err != nil {
		t.Fatal(err)
	}

	space.Sync()
	if now := space.WaitChildren(lockDir, 2); !sameNames(now, queue) {
		t.Errorf("the queue was %q and is %q", queue, now)
	}
	if gates[1].HasBegun() {
		t.Error("both work at the same time")
	}
	for i, run := range runs {
		gates[i].AwaitBegun()
		_, stat := space.Get(lockDir + "/" + queue[i])
		if stat.Czxid != tokens[queue[i]] {
			t.Errorf("the token was %d and is %d", tokens[queue[i]], stat.Czxid)
		}
		gates[i].End()
		applies[i].Succeed()
		run.AwaitNoProcess()
		if told := applies[i].Stderr(); strings.Contains(told, "clocker:") {
			t.Errorf("the user is told %q", told)
		}
		if strings.HasPrefix(block, "ephemeral") {
			continue // is in no state
		}
		state := run.state(block)
		if token, _ := state["fencing_token"].(float64); state["znode"] != space.Path(lockDir+"/"+queue[i]) || int64(token) != tokens[queue[i]] {
			t.Errorf("the state is %v, and the lock was held by %s with token %d", state, queue[i], tokens[queue[i]])
		}
	}
	space.WaitGone(lockDir)
	bringBack(t, ensemble)
}

// bounded ends with the test, and fails it rather than lets it hang.
func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
	t.Cleanup(cancel)
	return ctx
}

func sameNames(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// noQuorum kills two of three servers for longer than the session timeout: the run
// is told and interrupted, one who waits goes on waiting, and when the servers are
// back nothing of the first stays.
func noQuorum(t *testing.T, ensemble *zktest.Ensemble) {
	space := zktest.NewSpaceOn(t, ensemble.Servers()...)
	l := newLosing(t, space, "clocker_lock.a")
	apply := l.Apply()
	l.first.AwaitBegun()
	held := space.WaitChildren(lockDir, 1)[0]
	next := testkit.NewGate(t)
	waiting := newWorkspace(t, provider(space, "session_timeout = 2"), lock("a", "lockwait = -1"), guarded("work", "a", `"1"`, next.Work()))
	waits := waiting.Apply()
	space.WaitChildren(lockDir, 2)
	leader, err := ensemble.Leader(bounded(t))
	if err != nil {
		t.Fatal(err)
	}
	i := slices.Index(ensemble.Servers(), leader)
	for _, server := range []*zktest.Server{leader, ensemble.Servers()[(i+1)%3]} {
		if err := server.Kill(); err != nil {
			t.Fatal(err)
		}
	}
	apply.Fail() // while they are away
	if next.HasBegun() {
		t.Error("another run has the lock, and there is no quorum")
	}
	l.interrupted(apply, apply.Stderr())
	bringBack(t, ensemble)
	next.AwaitBegun()
	space.Sync()
	if now := space.WaitChildren(lockDir, 1); now[0] == held {
		t.Errorf("%s is still there", held)
	}
	next.End()
	waits.Succeed()
	waiting.AwaitNoProcess()
	space.WaitGone(lockDir)
}

// bringBack starts the servers that do not run, side by side, as of two none serves
// alone.
func bringBack(t *testing.T, ensemble *zktest.Ensemble) {
	t.Helper()
	var restarting sync.WaitGroup
	for _, server := range ensemble.Servers() {
		if server.Running() {
			continue
		}
		restarting.Go(func() {
			if err := server.Restart(bounded(t)); err != nil {
				t.Error(err)
			}
		})
	}
	restarting.Wait()
}
