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
