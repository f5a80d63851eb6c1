//go:build unix

package e2e

import (
	"strings"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// A run that hangs under its lock is interrupted when its time is over, and who waits has
// been told until when, gets the lock.
func TestRunThatHangsIsInterrupted(t *testing.T) {
	t.Parallel()
	for name, block := range map[string]string{
		"resource":  lock("a", "max_hold = 12"),
		"ephemeral": ephemeralLock("a", "max_hold = 12"),
		"action":    lockAction("a", "max_hold = 12"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			space := zktest.NewSpace(t)
			gate := newGate(t)
			work := guarded("work", "a", `"1"`, gate.work())
			switch name {
			case "ephemeral":
				needsEphemeral(t)
				work = after("ephemeral.clocker_lock.a", "work", gate.work())
			case "action":
				needsActions(t)
				work = triggering("work", "before_create", `"1"`, gate.work())
			}
			hanging := newWorkspace(t, provider(space), block, work).apply()
			gate.awaitBegun()
			waiting := newWorkspace(t, provider(space), lock("a", "lockwait = -1")).apply()
			eventually(t, "a line about the wait", func() bool {
				return strings.Contains(waiting.stderr(), " at the latest")
			})
			eventually(t, "the interrupt", func() bool {
				return strings.Contains(hanging.stderr(), "max_hold = 12 seconds. Interrupting this run.")
			})
			hanging.fail()
			waiting.succeed()
		})
	}
}

// A lock that outlives its run has no such limit.
func TestNoLimitOnADurableLock(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t, provider(zktest.NewSpace(t)), lock("a", `hold_until = "destroyed"`, "max_hold = 60"))
	apply := w.apply()
	apply.fail()
	if d := apply.err(); d.Summary != "Limit On A Durable Lock" || !strings.Contains(d.Snippet.Code, "max_hold") {
		t.Errorf("the error is %v", d)
	}
}

// The same below run: the command is interrupted, and the lock held until it has ended.
func TestUnderACommandThatHangs(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	work := newCounting(t)
	w := newUnder(t, space)
	c := w.startCommand(w.under("--lockid", "e2e", "--max-hold", "2", "--", "sh", "-c", "trap : INT; sh "+work.file()+"; exit 3"))
	work.process()
	eventually(t, "the interrupt of the command", func() bool {
		return work.got() != "" && strings.Contains(c.stderr(), "max_hold = 2 seconds. Interrupting this run.")
	})
	space.WaitChildren(lockDir, 1)
	work.end()
	if code := c.wait(); code != 3 {
		t.Errorf("exit code %d, want the command's own", code)
	}
	if got := work.got(); got != "INT" {
		t.Errorf("the command got %s, want one interrupt", got)
	}
	w.awaitNoProcess()
}
