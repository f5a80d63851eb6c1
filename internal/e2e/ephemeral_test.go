// SPDX-License-Identifier: MPL-2.0

//go:build unix

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/testkit"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// ephemeralLock is an ephemeral block of that name for the lock e2e, which is taken
// only to apply unless the arguments say otherwise.
func ephemeralLock(name string, arguments ...string) string {
	text := strings.Join(arguments, "\n  ")
	if !strings.Contains(text, "lockid") {
		text = "lockid = \"e2e\"\n  " + text
	}
	if !strings.Contains(text, "hold ") {
		text = "hold = terraform.applying\n  " + text
	}
	return fmt.Sprintf(`
ephemeral "clocker_lock" %q {
  %s
}
`, name, text)
}

// after is a terraform_data that depends on something and does the work when it is
// created.
func after(dependsOn, name, work string, arguments ...string) string {
	return fmt.Sprintf(`
resource "terraform_data" %q {
  depends_on = [%s]
  %s
  provisioner "local-exec" {
    command = %q
  }
}
`, name, dependsOn, strings.Join(arguments, "\n  "), work)
}

// The lock is held until all is done that depends on it, also through others, and
// not until the run ends.
func TestEphemeralIsHeldUntilItsDependentsAreDone(t *testing.T) {
	t.Parallel()
	testkit.Needs(t, testkit.EphemeralBlocks)
	space := zktest.NewSpace(t)
	first, second, beside := testkit.NewGate(t), testkit.NewGate(t), testkit.NewGate(t)
	w := newWorkspace(t, provider(space), ephemeralLock("a"),
		after("ephemeral.clocker_lock.a", "first", first.Work()),
		after("terraform_data.first", "second", second.Work()),
		after("", "beside", beside.Work()))

	apply := w.Apply()
	first.AwaitBegun()
	beside.AwaitBegun()
	held := space.WaitChildren(lockDir, 1)
	first.End()
	second.AwaitBegun()
	if now := space.Children(lockDir); !slices.Equal(now, held) {
		t.Errorf("while its second dependent works the lock's directory has %q, want %q", now, held)
	}
	second.End()
	space.WaitGone(lockDir)
	if !apply.Running() {
		t.Error("the lock was held until the run ended")
	}
	beside.End()
	apply.Succeed()
	w.AwaitNoProcess()
}

// Neither is there a diff, nor anything in the state.
func TestEphemeralLeavesNoDiff(t *testing.T) {
	t.Parallel()
	testkit.Needs(t, testkit.EphemeralBlocks)
	space := zktest.NewSpace(t)
	gate := testkit.NewGate(t)
	w := newWorkspace(t, provider(space), ephemeralLock("a"), after("ephemeral.clocker_lock.a", "work", gate.Work()))
	gate.End()
	w.Apply().Succeed()
	gate.Again()
	if code := w.Start("plan", "-input=false", "-detailed-exitcode").Wait(); code != 0 {
		t.Errorf("after the apply, plan -detailed-exitcode is %d", code)
	}
	apply := w.Apply()
	apply.Succeed()
	if !strings.Contains(apply.Stdout(), `"add":0,"change":0,`) {
		t.Error("another apply changes something")
	}
	if state := w.Start("state", "list"); state.Wait() != 0 || state.Stdout() != "terraform_data.work\n" {
		t.Errorf("the state has %q", state.Stdout())
	}
	if gate.HasBegun() {
		t.Error("the work was done again")
	}
	space.WaitGone(lockDir)
}

// A plan does not wait for the lock of another run: it takes none, and says so.
func TestEphemeralIsNotHeldByAPlan(t *testing.T) {
	t.Parallel()
	testkit.Needs(t, testkit.EphemeralBlocks)
	space := zktest.NewSpace(t)
	other := holdForeign(space)
	held := func(want string) string {
		return ephemeralLock("a", "lockwait = -1", fmt.Sprintf(`
  lifecycle {
    postcondition {
      condition     = self.held == %s && (self.znode != null) == %s && (self.fencing_token != null) == %s
      error_message = "held is ${self.held}, znode is ${self.znode == null ? "null" : self.znode}"
    }
  }`, want, want, want))
	}
	w := newWorkspace(t, provider(space), held("false"), after("ephemeral.clocker_lock.a", "work", "true"))
	w.Start("plan", "-input=false").Succeed()
	if left := space.Children(lockDir); len(left) != 1 {
		t.Errorf("the plan has left %q", left)
	}
	space.Delete(lockDir+"/"+other, lockDir)
	// The same is not so when it is applied.
	w.configure(provider(space), held("terraform.applying"), after("ephemeral.clocker_lock.a", "work", "true"))
	w.Apply().Succeed()
}

// Of two applies one works while the other waits.
func TestEphemeralSerializesApplies(t *testing.T) {
	t.Parallel()
	testkit.Needs(t, testkit.EphemeralBlocks)
	space := zktest.NewSpace(t)
	gates := [2]*testkit.Gate{testkit.NewGate(t), testkit.NewGate(t)}
	applies := [2]*testkit.Command{}
	for i, gate := range gates {
		w := newWorkspace(t, provider(space), ephemeralLock("a", "lockwait = -1"), after("ephemeral.clocker_lock.a", "work", gate.Work()))
		applies[i] = w.Apply()
	}
	space.WaitChildren(lockDir, 2)
	testkit.Eventually(t, "the beginning of a work", func() bool { return gates[0].HasBegun() || gates[1].HasBegun() })
	first := 0
	if gates[1].HasBegun() {
		first = 1
	}
	second := 1 - first
	if gates[second].HasBegun() {
		t.Error("both work at the same time")
	}
	gates[first].End()
	gates[second].AwaitBegun()
	applies[first].Succeed()
	gates[second].End()
	applies[second].Succeed()
}

// Close is not called after an interrupt: the lock is let go when the run ends,
// however it does.
func TestEphemeralOfARunThatIsStopped(t *testing.T) {
	t.Parallel()
	testkit.Needs(t, testkit.EphemeralBlocks)
	for name, stop := range map[string]func(*testkit.Command){
		"interrupted":               (*testkit.Command).Interrupt,
		"interrupted in a terminal": (*testkit.Command).InterruptGroup,
		"killed":                    (*testkit.Command).Kill,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			space := zktest.NewSpace(t)
			gate, never := testkit.NewGate(t), testkit.NewGate(t)
			w := newWorkspace(t, provider(space), ephemeralLock("a"),
				after("ephemeral.clocker_lock.a", "work", gate.Work()),
				after("terraform_data.work", "never", never.Work()))
			apply := w.Apply()
			gate.AwaitBegun()
			held := space.WaitChildren(lockDir, 1)
			gone := watchGone(t, space, lockDir+"/"+held[0])
			stop(apply)
			t.Logf("the znode was gone %v after Terraform's end", gone().Sub(apply.Over()).Round(100_000))
			w.AwaitNoProcess()
			space.WaitGone(lockDir)
			gate.End()
			if never.HasBegun() {
				t.Error("work was begun after that")
			}
		})
	}
}

// An Open that fails, or is interrupted, leaves nothing.
func TestEphemeralThatIsNotHadLeavesNothing(t *testing.T) {
	t.Parallel()
	testkit.Needs(t, testkit.EphemeralBlocks)
	for name, test := range map[string]struct {
		lockwait int
		stop     func(*testkit.Command)
		summary  string
	}{
		"tried once":                {0, nil, "Lock Is Held"},
		"waited":                    {1, nil, "Lock Is Held"},
		"interrupted":               {-1, (*testkit.Command).Interrupt, "Interrupted"},
		"interrupted in a terminal": {-1, (*testkit.Command).InterruptGroup, "Interrupted"},
		"killed":                    {-1, (*testkit.Command).Kill, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			space := zktest.NewSpace(t)
			other := holdForeign(space)
			never := testkit.NewGate(t)
			w := newWorkspace(t, provider(space), ephemeralLock("a", fmt.Sprintf("lockwait = %d", test.lockwait)),
				after("ephemeral.clocker_lock.a", "work", never.Work()))
			apply := w.Apply()
			if test.stop != nil {
				space.WaitChildren(lockDir, 2)
				test.stop(apply)
			}
			if test.summary == "" {
				apply.Over()
			} else {
				apply.Fail()
				if d := apply.Err(); d.Summary != test.summary || d.Address != "ephemeral.clocker_lock.a" {
					t.Errorf("the error is %v", d)
				}
			}
			if left := space.WaitChildren(lockDir, 1); left[0] != other {
				t.Errorf("the queue is %q, want %q", left, other)
			}
			w.AwaitNoProcess()
			if never.HasBegun() {
				t.Error("the work was done without the lock")
			}
			space.Delete(lockDir+"/"+other, lockDir)
		})
	}
}

// A block that is not kept to the apply is taken by a plan too; Ctrl-C ends that
// wait as well.
func TestInterruptEndsThePlanThatWaits(t *testing.T) {
	t.Parallel()
	testkit.Needs(t, testkit.EphemeralBlocks)
	space := zktest.NewSpace(t)
	other := holdForeign(space)
	w := newWorkspace(t, provider(space), ephemeralLock("a", "hold = true", "lockwait = -1"))
	plan := w.Start("plan", "-json", "-input=false")
	space.WaitChildren(lockDir, 2)
	plan.Interrupt()
	plan.Fail()
	if d := plan.Err(); d.Summary != "Interrupted" {
		t.Errorf("the error is %v", d)
	}
	if left := space.WaitChildren(lockDir, 1); left[0] != other {
		t.Errorf("the queue is %q, want %q", left, other)
	}
	w.AwaitNoProcess()
	space.Delete(lockDir+"/"+other, lockDir)
}
