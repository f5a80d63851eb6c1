//go:build unix

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// All that a command starts is one run: its blocks have at once the lock that the run
// has, from the plan to the end of the apply, also of a saved plan.
func TestUnderPlanAndApply(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	planned, gate := newGate(t), newGate(t)
	w := newUnder(t, space, provider(space), lock("a"), guarded("work", "a", `"1"`, gate.work()))
	c := w.startShell(fmt.Sprintf(`set -e
%[1]q plan -input=false -out=saved
%[2]s
%[1]q apply -json -input=false saved`, w.cli, planned.work()))
	planned.awaitBegun()
	held := space.WaitChildren(lockDir, 1)
	planned.end()
	gate.awaitBegun()
	w.awaitNoProvider()
	if now := space.Children(lockDir); len(now) != 1 || now[0] != held[0] {
		t.Errorf("the lock's directory has %q, want %q", now, held)
	}
	gate.end()
	c.succeed()
	if znode := w.state("clocker_lock.a")["znode"]; !strings.HasSuffix(fmt.Sprint(znode), held[0]) {
		t.Errorf("the block has %v, want %s", znode, held[0])
	}
	space.WaitGone(lockDir)
	w.awaitNoProcess()
}

// A lock that a block has taken is held until the run has ended, which outlives the
// Terraform: the next one of the run has it still.
func TestUnderTwoApplies(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	between := newGate(t)
	w := newUnder(t, space, provider(space), lock("a", `lockid = "own"`))
	c := w.startShell(fmt.Sprintf(`set -e
%[1]q apply -auto-approve -input=false
%[2]s
%[1]q plan -input=false -detailed-exitcode`, w.cli, between.work()))
	between.awaitBegun()
	space.WaitChildren("/_zklocking/own", 1)
	between.end()
	c.succeed() // the plan has no changes
	space.WaitGone("/_zklocking/own")
	space.WaitGone(lockDir)
	w.awaitNoProcess()
}

// Under a lock, a destroy and its destroy-time provisioners are guarded, too.
func TestUnderDestroy(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	gate := newGate(t)
	w := newUnder(t, space, provider(space), lock("a"), fmt.Sprintf(`
resource "terraform_data" "work" {
  depends_on = [clocker_lock.a]
  provisioner "local-exec" {
    when    = destroy
    command = %q
  }
}
`, gate.work()))
	w.apply().succeed()
	space.WaitGone(lockDir)
	c := w.startUnder(w.cli, "destroy", "-auto-approve", "-input=false")
	gate.awaitBegun()
	space.WaitChildren(lockDir, 1)
	refused := w.startUnder("true")
	if code := refused.wait(); code != 75 {
		t.Errorf("exit code %d of another one during the destroy, want 75", code)
	}
	gate.end()
	c.succeed()
	space.WaitGone(lockDir)
	w.awaitNoProcess()
}

// A `run` below a `run` is part of it, and has its locks at once. Its own locks end with
// its command.
func TestUnderAnother(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	inner, outer := newGate(t), newGate(t)
	w := newUnder(t, space)
	c := w.startShell(fmt.Sprintf(`set -e
%q run --lockid e2e --lockid inner -- sh -c %q
%s`, filepath.Join(w.plugins, providerFile), inner.work(), outer.work()))
	inner.awaitBegun()
	space.WaitChildren(lockDir, 1)
	space.WaitChildren("/_zklocking/inner", 1)
	if _, holders := w.processes(); len(holders) != 1 {
		t.Errorf("there are %d holders, want one", len(holders))
	}
	inner.end()
	outer.awaitBegun()
	space.WaitChildren(lockDir, 1)
	space.WaitGone("/_zklocking/inner")
	outer.end()
	c.succeed()
	space.WaitGone(lockDir)
	w.awaitNoProcess()
}

// A run that is named by the environment only, of a command that has ended or is not
// above, is none: the lock is waited for.
func TestUnderAStrangersRun(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	gate := newGate(t)
	w := newUnder(t, space)
	file := filepath.Join(t.TempDir(), "run")
	first := w.startShell(fmt.Sprintf(`printf %%s "$CLOCKER_RUN" >%q; %s`, file, gate.work()))
	gate.awaitBegun()
	stranger := w.under("--lockid", "e2e", "--", "true")
	token, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	w.setenv("CLOCKER_RUN", string(token))
	if code := w.startCommand(stranger).wait(); code != 75 {
		t.Errorf("exit code %d, want 75", code)
	}
	gate.end()
	first.succeed()
	space.WaitGone(lockDir)
	w.startCommand(w.under("--lockid", "e2e", "--", "true")).succeed()
	space.WaitGone(lockDir)
	w.awaitNoProcess()
}

// A lost lock interrupts a Terraform below a shell once, and its state is written.
func TestUnderALostLockTerraformStops(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	gate, never := newGate(t), newGate(t)
	w := newUnder(t, space, provider(space), lock("a"), guarded("work", "a", `"1"`, "trap : INT; until "+gate.work()+"; do :; done"), after("terraform_data.work", "never", never.work()))
	c := w.startShell(fmt.Sprintf("%q apply -auto-approve -input=false -no-color; exit 0", w.cli))
	gate.awaitBegun()
	held := space.WaitChildren(lockDir, 1)
	space.Delete(lockDir + "/" + held[0])
	eventually(t, "the interrupt", func() bool { return strings.Contains(c.stdout(), "Interrupt received") })
	gate.end()
	// Some shells die of the interrupt then, and some go on to their end.
	if code := c.wait(); code != 130 && code != 74 {
		t.Errorf("exit code %d, want 130 or 74", code)
	}
	if strings.Contains(c.stdout(), "Two interrupts") || never.hasBegun() {
		t.Error("Terraform was interrupted again, or has gone on")
	}
	if n := strings.Count(c.stderr(), "Interrupting this run."); n != 1 {
		t.Errorf("the loss was told %d times: %q", n, c.stderr())
	}
	if w.state("clocker_lock.a")["held"] != true {
		t.Error("the state was not written")
	}
	deleteEmpty(space, lockDir)
	w.awaitNoProcess()
}
