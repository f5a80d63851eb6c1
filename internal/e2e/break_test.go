// SPDX-License-Identifier: MPL-2.0

//go:build unix

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/testkit"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

const reason = "build1 hangs, incident 4711"

// breaker is a workspace with an action that breaks the lock e2e.
func breaker(t *testing.T, space *zktest.Space, znode string) *workspace {
	t.Helper()
	w := newWorkspace(t, provider(space, `owner = "carol@ops"`), fmt.Sprintf(`
action "clocker_break" "stuck" {
  config {
    lockid = "e2e"
    znode  = %q
    reason = %q
  }
}
`, znode, reason))
	return w
}

func (w *workspace) invoke() *testkit.Command {
	w.T.Helper()
	return w.Apply("-invoke=action.clocker_break.stuck")
}

// A run that loses its lock to an operator is interrupted and told who did it and why;
// the next in the queue goes on. Both logs keep it.
func TestBreakTellsTheRunThatLosesTheLock(t *testing.T) {
	t.Parallel()
	testkit.Needs(t, testkit.Actions)
	space := zktest.NewSpace(t)
	gate, next := testkit.NewGate(t), testkit.NewGate(t)
	loser := newWorkspace(t, provider(space), lock("a"), guarded("work", "a", `"1"`, gate.Work()))
	log := filepath.Join(t.TempDir(), "holder.log")
	loser.Setenv("CLOCKER_LOG_PATH", log)
	apply := loser.Apply()
	gate.AwaitBegun()
	znode := space.Path(lockDir + "/" + space.WaitChildren(lockDir, 1)[0])
	waiting := newWorkspace(t, provider(space), lock("a", "lockwait = -1"), guarded("work", "a", `"1"`, next.Work()))
	second := waiting.Apply()
	space.WaitChildren(lockDir, 2)

	w := breaker(t, space, znode)
	w.Setenv("TF_LOG_PROVIDER", "warn")
	invoke := w.invoke()
	invoke.Succeed()
	if text := invoke.Stdout(); !strings.Contains(text, "The run that held the lock was told who did it and why.") {
		t.Errorf("the one who breaks the lock reads:\n%s", text)
	}
	if text := invoke.Stderr(); !strings.Contains(text, "lock broken") || !strings.Contains(text, reason) {
		t.Errorf("his log is:\n%s", text)
	}
	next.AwaitBegun()
	gate.End()
	apply.Fail()
	want := fmt.Sprintf("carol@ops broke it: %q. Interrupting this run.", reason)
	if text := apply.Stderr(); !strings.Contains(text, want) {
		t.Errorf("the run reads:\n%s", text)
	}
	if text, err := os.ReadFile(log); err != nil || !strings.Contains(string(text), "carol@ops broke it") {
		t.Errorf("its holder's log is:\n%s\n%v", text, err)
	}
	next.End()
	second.Succeed()
	space.WaitGone(lockDir)

	again := w.invoke()
	again.Fail()
	if d := again.Err(); d.Summary != "Nothing To Break" {
		t.Errorf("a second time: %v", d)
	}
}

// A durable lock is gone for its configuration, too.
func TestBreakOfADurableLock(t *testing.T) {
	t.Parallel()
	testkit.Needs(t, testkit.Actions)
	space := zktest.NewSpace(t)
	owner := newWorkspace(t, provider(space), lock("a", `hold_until = "destroyed"`))
	owner.Apply().Succeed()
	znode := space.Path(lockDir + "/" + space.WaitChildren(lockDir, 1)[0])
	invoke := breaker(t, space, znode).invoke()
	invoke.Succeed()
	if text := invoke.Stdout(); !strings.Contains(text, "as to be created again") {
		t.Errorf("the one who breaks the lock reads:\n%s", text)
	}
	if actions := owner.Plan("clocker_lock.a").Actions; len(actions) != 1 || actions[0] != "create" {
		t.Errorf("the next plan wants to %v", actions)
	}
	owner.destroy().Succeed()
}

// What is no holder of that lock is refused, and the error says which.
func TestBreakRefuses(t *testing.T) {
	t.Parallel()
	testkit.Needs(t, testkit.Actions)
	space := zktest.NewSpace(t)
	foreign := holdForeign(space)
	waiting := space.Create(lockDir+"/lock-", nil, zktest.EphemeralSequential)
	for znode, summary := range map[string]string{
		space.Path(waiting):                        "Znode Does Not Hold The Lock",
		space.Path("/_zklocking/other/" + foreign): "Not A Holder Of This Lock",
		foreign: "Invalid Path",
	} {
		invoke := breaker(t, space, znode).invoke()
		invoke.Fail()
		if d := invoke.Err(); d.Summary != summary {
			t.Errorf("%s: %v", znode, d)
		}
	}
	invoke := breaker(t, space, space.Path(lockDir+"/"+foreign)).invoke()
	invoke.Succeed()
	if text := invoke.Stdout(); !strings.Contains(text, "another client's, which is not told why") {
		t.Errorf("the one who breaks the lock reads:\n%s", text)
	}
	space.Delete(waiting)
	deleteEmpty(space, lockDir)
}
