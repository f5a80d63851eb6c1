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

// All that a command starts is one run: its blocks have at once the lock that the run
// has, from the plan to the end of the apply, also of a saved plan.
func TestUnderPlanAndApply(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	planned, gate := testkit.NewGate(t), testkit.NewGate(t)
	w := newUnder(t, space, provider(space), lock("a"), guarded("work", "a", `"1"`, gate.Work()))
	c := w.startShell(fmt.Sprintf(`set -e
%[1]q plan -input=false -out=saved
%[2]s
%[1]q apply -json -input=false saved`, w.CLI.Path, planned.Work()))
	planned.AwaitBegun()
	held := space.WaitChildren(lockDir, 1)
	planned.End()
	gate.AwaitBegun()
	w.AwaitNoProvider()
	if now := space.Children(lockDir); len(now) != 1 || now[0] != held[0] {
		t.Errorf("the lock's directory has %q, want %q", now, held)
	}
	gate.End()
	c.Succeed()
	if znode := w.state("clocker_lock.a")["znode"]; !strings.HasSuffix(fmt.Sprint(znode), held[0]) {
		t.Errorf("the block has %v, want %s", znode, held[0])
	}
	space.WaitGone(lockDir)
	w.AwaitNoProcess()
}

// A lock that a block has taken is held until the run has ended, which outlives the
// Terraform: the next one of the run has it still.
func TestUnderTwoApplies(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	between := testkit.NewGate(t)
	w := newUnder(t, space, provider(space), lock("a", `lockid = "own"`))
	c := w.startShell(fmt.Sprintf(`set -e
%[1]q apply -auto-approve -input=false
%[2]s
%[1]q plan -input=false -detailed-exitcode`, w.CLI.Path, between.Work()))
	between.AwaitBegun()
	space.WaitChildren("/_zklocking/own", 1)
	between.End()
	c.Succeed() // the plan has no changes
	space.WaitGone("/_zklocking/own")
	space.WaitGone(lockDir)
	w.AwaitNoProcess()
}

// Under a lock, a destroy and its destroy-time provisioners are guarded, too.
func TestUnderDestroy(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	gate := testkit.NewGate(t)
	w := newUnder(t, space, provider(space), lock("a"), fmt.Sprintf(`
resource "terraform_data" "work" {
  depends_on = [clocker_lock.a]
  provisioner "local-exec" {
    when    = destroy
    command = %q
  }
}
`, gate.Work()))
	w.Apply().Succeed()
	space.WaitGone(lockDir)
	c := w.startUnder(w.CLI.Path, "destroy", "-auto-approve", "-input=false")
	gate.AwaitBegun()
	space.WaitChildren(lockDir, 1)
	refused := w.startUnder("true")
	if code := refused.Wait(); code != 75 {
		t.Errorf("exit code %d of another one during the destroy, want 75", code)
	}
	gate.End()
	c.Succeed()
	space.WaitGone(lockDir)
	w.AwaitNoProcess()
}

// A `run` below a `run` is part of it, and has its locks at once. Its own locks end with
// its command.
func TestUnderAnother(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	inner, outer := testkit.NewGate(t), testkit.NewGate(t)
	w := newUnder(t, space)
	c := w.startShell(fmt.Sprintf(`set -e
%q run --lockid e2e --lockid inner -- sh -c %q
%s`, w.Program, inner.Work(), outer.Work()))
	inner.AwaitBegun()
	space.WaitChildren(lockDir, 1)
	space.WaitChildren("/_zklocking/inner", 1)
	w.Holder() // one
	inner.End()
	outer.AwaitBegun()
	space.WaitChildren(lockDir, 1)
	space.WaitGone("/_zklocking/inner")
	outer.End()
	c.Succeed()
	space.WaitGone(lockDir)
	w.AwaitNoProcess()
}

// A run that is named by the environment only, of a command that has ended or is not
// above, is none: the lock is waited for.
func TestUnderAStrangersRun(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	gate := testkit.NewGate(t)
	w := newUnder(t, space)
	file := filepath.Join(t.TempDir(), "run")
	first := w.startShell(fmt.Sprintf(`printf %%s "$CLOCKER_RUN" >%q; %s`, file, gate.Work()))
	gate.AwaitBegun()
	stranger := w.under("--lockid", "e2e", "--", "true")
	token, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	w.Setenv("CLOCKER_RUN", string(token))
	if code := w.StartCommand(stranger).Wait(); code != 75 {
		t.Errorf("exit code %d, want 75", code)
	}
	gate.End()
	first.Succeed()
	space.WaitGone(lockDir)
	w.StartCommand(w.under("--lockid", "e2e", "--", "true")).Succeed()
	space.WaitGone(lockDir)
	w.AwaitNoProcess()
}

// A lost lock interrupts a Terraform below a shell once, and its state is written.
func TestUnderALostLockTerraformStops(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	gate, never := testkit.NewGate(t), testkit.NewGate(t)
	w := newUnder(t, space, provider(space), lock("a"), guarded("work", "a", `"1"`, "trap : INT; until "+gate.Work()+"; do :; done"), after("terraform_data.work", "never", never.Work()))
	c := w.startShell(fmt.Sprintf("%q apply -auto-approve -input=false -no-color; exit 0", w.CLI.Path))
	gate.AwaitBegun()
	held := space.WaitChildren(lockDir, 1)
	space.Delete(lockDir + "/" + held[0])
	testkit.Eventually(t, "the interrupt", func() bool { return strings.Contains(c.Stdout(), "Interrupt received") })
	gate.End()
	// Some shells die of the interrupt then, and some go on to their end.
	if code := c.Wait(); code != 130 && code != 74 {
		t.Errorf("exit code %d, want 130 or 74", code)
	}
	if strings.Contains(c.Stdout(), "Two interrupts") || never.HasBegun() {
		t.Error("Terraform was interrupted again, or has gone on")
	}
	if n := strings.Count(c.Stderr(), "Interrupting this run."); n != 1 {
		t.Errorf("the loss was told %d times: %q", n, c.Stderr())
	}
	if w.state("clocker_lock.a")["held"] != true {
		t.Error("the state was not written")
	}
	deleteEmpty(space, lockDir)
	w.AwaitNoProcess()
}
