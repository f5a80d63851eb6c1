// SPDX-License-Identifier: MPL-2.0

//go:build unix

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/testkit"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// lockAction is the action that takes the lock e2e, with further arguments.
func lockAction(name string, arguments ...string) string {
	return fmt.Sprintf(`
action "clocker_lock" %q {
  config {
    lockid = "e2e"
    %s
  }
}
`, name, strings.Join(arguments, "\n    "))
}

// triggering is a terraform_data that takes the lock before the events, and does the
// work when it is created.
func triggering(name, events, trigger, work string, arguments ...string) string {
	return fmt.Sprintf(`
resource "terraform_data" %q {
  triggers_replace = %s
  %s
  lifecycle {
    action_trigger {
      events  = [%s]
      actions = [action.clocker_lock.a]
    }
  }
  provisioner "local-exec" {
    command = %q
  }
}
`, name, trigger, strings.Join(arguments, "\n  "), events, work)
}

// The lock is held while what triggers it changes, and to the run's end. A run that
// changes nothing does not take it, and the state knows nothing of it.
func TestActionGuardsWhatChanges(t *testing.T) {
	t.Parallel()
	testkit.Needs(t, testkit.Actions)
	space := zktest.NewSpace(t)
	gate := testkit.NewGate(t)
	config := func(trigger string) []string {
		return []string{provider(space), lockAction("a"), triggering("work", "before_create", trigger, gate.Work())}
	}
	w := newWorkspace(t, config(`"1"`)...)
	apply := w.Apply()
	gate.AwaitBegun()
	space.WaitChildren(lockDir, 1)
	gate.End()
	apply.Succeed()
	space.WaitGone(lockDir)

	foreign := holdForeign(space)
	w.unchanged()
	w.Apply().Succeed()
	gate.Again()
	w.configure(config(`"2"`)...)
	refused := w.Apply()
	refused.Fail()
	if d := refused.Err(); d.Summary != "Lock Is Held" || !strings.Contains(d.Detail, foreign) || gate.HasBegun() {
		t.Errorf("beside another client: %v; the work has begun: %v", d, gate.HasBegun())
	}
	space.Delete(lockDir + "/" + foreign)
	deleteEmpty(space, lockDir)
}

// All instances of a resource are guarded by one lock, and all wait for it.
func TestActionGuardsAllInstances(t *testing.T) {
	t.Parallel()
	testkit.Needs(t, testkit.Actions)
	space := zktest.NewSpace(t)
	foreign := holdForeign(space)
	gate := testkit.NewGate(t)
	w := newWorkspace(t, provider(space), lockAction("a", "lockwait = -1", `info = "three at once"`),
		triggering("work", "before_create", `"1"`, gate.Work(), "count = 3"))
	apply := w.Apply()
	space.WaitChildren(lockDir, 2)
	testkit.Eventually(t, "a message about the wait", func() bool {
		return strings.Contains(apply.Stdout(), `waiting for lock \"e2e\": 1st in line, behind`)
	})
	if gate.HasBegun() {
		t.Error("the work has begun without the lock")
	}
	space.Delete(lockDir + "/" + foreign)
	gate.AwaitBegun()
	space.WaitChildren(lockDir, 1)
	for range 3 {
		gate.End()
	}
	apply.Succeed()
	space.WaitGone(lockDir)
}

// Ctrl-C ends the wait of all of them at once, and leaves nothing.
func TestInterruptEndsTheWaitOfAnAction(t *testing.T) {
	t.Parallel()
	testkit.Needs(t, testkit.Actions)
	space := zktest.NewSpace(t)
	foreign := holdForeign(space)
	gate := testkit.NewGate(t)
	w := newWorkspace(t, provider(space), lockAction("a", "lockwait = -1"),
		triggering("work", "before_create", `"1"`, gate.Work(), "count = 3"))
	apply := w.Apply()
	space.WaitChildren(lockDir, 2)
	apply.Interrupt()
	apply.Fail()
	space.WaitChildren(lockDir, 1)
	if gate.HasBegun() {
		t.Error("the work has begun without the lock")
	}
	space.Delete(lockDir + "/" + foreign)
	deleteEmpty(space, lockDir)
}

// With before_destroy nothing that triggers the lock is destroyed under another client's
// lock, neither by a replacement nor when it is scaled down.
func TestActionGuardsTheDestroyStep(t *testing.T) {
	t.Parallel()
	testkit.Needs(t, testkit.DestroyEvents)
	const events = "before_create, before_update, before_destroy"
	for name, test := range map[string]struct{ trigger, count string }{
		"replaced":    {`"2"`, "count = 2"},
		"scaled down": {`"1"`, "count = 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			space := zktest.NewSpace(t)
			w := newWorkspace(t, provider(space), lockAction("a"), triggering("work", events, `"1"`, "true", "count = 2"))
			w.Apply().Succeed()
			before := w.state("terraform_data.work[1]")
			foreign := holdForeign(space)
			w.configure(provider(space), lockAction("a"), triggering("work", events, test.trigger, "true", test.count))
			then := w.Apply()
			then.Fail()
			if !strings.Contains(then.Stdout(), "Lock Is Held") {
				t.Errorf("it failed by something else:\n%s", then.Stdout())
			}
			if after := w.state("terraform_data.work[1]"); after == nil || after["id"] != before["id"] {
				t.Errorf("the guarded object was %v and is %v", before, after)
			}
			space.Delete(lockDir + "/" + foreign)
			w.Apply().Succeed()
			space.WaitGone(lockDir)
		})
	}
}

// In a destroy Terraform waits for the action, too, but goes on when that fails: it is a
// warning there, whatever on_failure says. So only a wait without limit guards it.
func TestActionInADestroy(t *testing.T) {
	t.Parallel()
	testkit.Needs(t, testkit.DestroyEvents)
	for name, waits := range map[string]bool{"that waits": true, "that gives up": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lockwait := map[bool]string{true: "lockwait = -1", false: "lockwait = 0"}[waits]
			space := zktest.NewSpace(t)
			w := newWorkspace(t, provider(space), lockAction("a", lockwait), triggering("work", "before_destroy", `"1"`, "true", "count = 2"))
			w.Apply().Succeed()
			foreign := holdForeign(space)
			destroy := w.destroy()
			if waits {
				space.WaitChildren(lockDir, 2)
				if w.state("terraform_data.work[1]") == nil || !destroy.Running() {
					t.Error("it has not waited for the lock")
				}
				space.Delete(lockDir + "/" + foreign)
				destroy.Succeed()
				space.WaitGone(lockDir)
				return
			}
			destroy.Succeed()
			for _, d := range destroy.Diagnostics() {
				if d.Severity == "error" {
					t.Errorf("it has failed, and could guard: %v", d)
				}
			}
			space.Delete(lockDir + "/" + foreign)
			deleteEmpty(space, lockDir)
		})
	}
}
