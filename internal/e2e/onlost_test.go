//go:build unix

package e2e

import (
	"strings"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// losing is a run that is about to lose its lock while its first work goes on.
type losing struct {
	*workspace
	space        *zktest.Space
	first, later *gate
}

// blocks are the two that take locks for a run, by their addresses.
var blocks = map[string]func(name string, arguments ...string) string{
	"clocker_lock.a":           lock,
	"ephemeral.clocker_lock.a": ephemeralLock,
}

// newLosing makes a run with that block. Its session is short.
func newLosing(t *testing.T, space *zktest.Space, block string, arguments ...string) *losing {
	t.Helper()
	if strings.HasPrefix(block, "ephemeral") {
		needsEphemeral(t)
	}
	l := &losing{space: space, first: newGate(t), later: newGate(t)}
	l.workspace = newWorkspace(t, provider(space, "session_timeout = 2"), blocks[block]("a", arguments...),
		after(block, "first", l.first.work()),
		after("terraform_data.first", "later", l.later.work()))
	return l
}

// deleted deletes the lock's znode, as an operator would.
func (l *losing) deleted() {
	l.t.Helper()
	l.space.Delete(lockDir + "/" + l.space.WaitChildren(lockDir, 1)[0])
}

// interrupted checks that the run was interrupted, once, and that the user was
// told why, once.
func (l *losing) interrupted(apply *command, told string) {
	l.t.Helper()
	for _, want := range []string{`clocker: lock "e2e"`, l.space.Path(lockDir), "Interrupting this run"} {
		if strings.Count(told, want) != 1 {
			l.t.Errorf("the user is not told %q once:\n%s", want, told)
		}
	}
	if out := apply.stdout(); !strings.Contains(out, "Interrupt received") || strings.Contains(out, "Two interrupts") {
		l.t.Errorf("the run was not interrupted once:\n%s", out)
	}
	if l.later.hasBegun() {
		l.t.Error("work was begun after the loss")
	}
	l.awaitNoProcess()
}

// A lock that is lost ends the run as Ctrl-C does: nothing that depends on it is
// begun, and the user is told why.
func TestLostLockInterruptsTheRun(t *testing.T) {
	t.Parallel()
	for block := range blocks {
		t.Run(block+" deleted by an operator", func(t *testing.T) {
			t.Parallel()
			l := newLosing(t, zktest.NewSpace(t), block)
			apply := l.apply()
			l.first.awaitBegun()
			l.deleted()
			apply.fail()
			l.interrupted(apply, apply.stderr())
			deleteEmpty(l.space, lockDir)
		})
		t.Run(block+" without an answer", func(t *testing.T) {
			t.Parallel()
			server := zktest.Own(t, zktest.Options{})
			l := newLosing(t, zktest.NewSpaceOn(t, server), block)
			apply := l.apply()
			l.first.awaitBegun()
			if err := server.Pause(); err != nil {
				t.Fatal(err)
			}
			apply.fail() // while the server is still away
			if err := server.Resume(); err != nil {
				t.Fatal(err)
			}
			l.interrupted(apply, apply.stderr())
			l.space.WaitChildren(lockDir, 0)
			deleteEmpty(l.space, lockDir)
		})
	}
}

// With on_lost = "continue" the run goes on. An ephemeral block can still say at
// its end that the run has failed.
func TestLostLockIsToldOnly(t *testing.T) {
	t.Parallel()
	for block := range blocks {
		t.Run(block, func(t *testing.T) {
			t.Parallel()
			l := newLosing(t, zktest.NewSpace(t), block, `on_lost = "continue"`)
			apply := l.apply()
			l.first.awaitBegun()
			l.deleted()
			eventually(t, "the word of the loss", func() bool { return strings.Contains(apply.stderr(), "goes on unguarded") })
			l.first.end()
			l.later.awaitBegun()
			l.later.end()
			if strings.HasPrefix(block, "ephemeral") {
				apply.fail()
				if d := apply.err(); d.Summary != "Lock Was Lost" || d.Address != block || !strings.Contains(d.Detail, `"e2e"`) {
					t.Errorf("the error is %v", d)
				}
			} else {
				apply.succeed()
			}
			if n := strings.Count(apply.stderr(), `clocker: lock "e2e"`); n != 1 {
				t.Errorf("the loss was told %d times:\n%s", n, apply.stderr())
			}
			if strings.Contains(apply.stdout(), "Interrupt received") {
				t.Error("the run was interrupted")
			}
			l.awaitNoProcess()
			deleteEmpty(l.space, lockDir)
		})
	}
}
