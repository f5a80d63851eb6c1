// SPDX-License-Identifier: MPL-2.0

//go:build unix

package e2e

import (
	"strings"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/testkit"
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
			gate := testkit.NewGate(t)
			work := guarded("work", "a", `"1"`, gate.Work())
			switch name {
			case "ephemeral":
				testkit.Needs(t, testkit.EphemeralBlocks)
				work = after("ephemeral.clocker_lock.a", "work", gate.Work())
			case "action":
				testkit.Needs(t, testkit.Actions)
				work = triggering("work", "before_create", `"1"`, gate.Work())
			}
			hanging := newWorkspace(t, provider(space), block, work).Apply()
			gate.AwaitBegun()
			waiting := newWorkspace(t, provider(space), lock("a", "lockwait = -1")).Apply()
			testkit.Eventually(t, "a line about the wait", func() bool {
				return strings.Contains(waiting.Stderr(), " at the latest")
			})
			testkit.Eventually(t, "the interrupt", func() bool {
				return strings.Contains(hanging.Stderr(), "max_hold = 12 seconds. Interrupting this run.")
			})
			hanging.Fail()
			waiting.Succeed()
		})
	}
}

// A lock that outlives its run has no such limit.
func TestNoLimitOnADurableLock(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t, provider(zktest.NewSpace(t)), lock("a", `hold_until = "destroyed"`, "max_hold = 60"))
	apply := w.Apply()
	apply.Fail()
	if d := apply.Err(); d.Summary != "Limit On A Durable Lock" || !strings.Contains(d.Snippet.Code, "max_hold") {
		t.Errorf("the error is %v", d)
	}
}

// The same below run: the command is interrupted, and the lock held until it has ended.
func TestUnderACommandThatHangs(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	work := newCounting(t)
	w := newUnder(t, space)
	c := w.StartCommand(w.under("--lockid", "e2e", "--max-hold", "2", "--", "sh", "-c", "trap : INT; sh "+work.file()+"; exit 3"))
	work.process()
	testkit.Eventually(t, "the interrupt of the command", func() bool {
		return work.got() != "" && strings.Contains(c.Stderr(), "max_hold = 2 seconds. Interrupting this run.")
	})
	space.WaitChildren(lockDir, 1)
	work.End()
	if code := c.Wait(); code != 3 {
		t.Errorf("exit code %d, want the command's own", code)
	}
	if got := work.got(); got != "INT" {
		t.Errorf("the command got %s, want one interrupt", got)
	}
	w.AwaitNoProcess()
}
