// SPDX-License-Identifier: MPL-2.0

//go:build unix

package e2e

import (
	"fmt"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/testkit"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// promptly is before the provider stops waiting for a holder that does not answer,
// and takes some hundredths of a second in fact.
const promptly = 4 * time.Second

// Ctrl-C while waiting ends the run, whoever gets the signal, and leaves no
// contender.
func TestInterruptEndsTheWait(t *testing.T) {
	t.Parallel()
	for name, interrupt := range map[string]func(*testkit.Command){
		"of Terraform":         (*testkit.Command).Interrupt,
		"of its process group": (*testkit.Command).InterruptGroup, // as a terminal does
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			space := zktest.NewSpace(t)
			other := holdForeign(space)
			gate := testkit.NewGate(t)
			w := newWorkspace(t, provider(space), lock("a", "lockwait = -1"), guarded("work", "a", `"1"`, gate.Work()))
			apply := w.Apply()
			space.WaitChildren(lockDir, 2)
			at := time.Now()
			interrupt(apply)
			apply.Fail()
			took := apply.Ended.Sub(at)
			t.Logf("the run ended %v after the interrupt", took.Round(time.Millisecond))
			if took > promptly {
				t.Errorf("the run ended %v after the interrupt", took)
			}
			if d := apply.Err(); d.Summary != "Interrupted" || d.Address != "clocker_lock.a" {
				t.Errorf("the error is %v", d)
			}
			if gate.HasBegun() {
				t.Error("the guarded work was done")
			}
			if left := space.WaitChildren(lockDir, 1); left[0] != other {
				t.Errorf("the queue is %q, want %q", left, other)
			}
			w.AwaitNoProcess()
			space.Delete(lockDir+"/"+other, lockDir)
		})
	}
}

// Ctrl-C in a terminal reaches the whole process group while Terraform has yet to
// finish: the lock is held until it has.
func TestInterruptLeavesTheLockToTerraform(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	gate := testkit.NewGate(t)
	interrupted := filepath.Join(t.TempDir(), "interrupted")
	w := newWorkspace(t, provider(space), lock("a"),
		guarded("work", "a", `"1"`, fmt.Sprintf("trap 'touch %s' INT; until %s; do :; done", interrupted, gate.Work())))
	apply := w.Apply()
	gate.AwaitBegun()
	w.AwaitNoProvider()
	held := space.WaitChildren(lockDir, 1)

	apply.Signal(syscall.SIGSTOP) // it takes long to finish
	apply.InterruptGroup()
	testkit.Eventually(t, "the interrupt of the work", func() bool { return exists(interrupted) })
	w.Holder()
	if now := space.Children(lockDir); !slices.Equal(now, held) {
		t.Errorf("while the run goes on the lock's directory has %q, want %q", now, held)
	}
	gate.End()
	apply.Signal(syscall.SIGCONT)
	apply.Wait()
	space.WaitGone(lockDir)
}

// destroy needs no lock, and leaves none.
func TestDestroyLeavesNothing(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	w := newWorkspace(t, provider(space), lock("a"))
	w.Apply().Succeed()
	space.WaitGone(lockDir)

	// Someone else's lock is no obstacle, and stays.
	other := holdForeign(space)
	w.Start("destroy", "-json", "-auto-approve", "-input=false").Succeed()
	if left := space.Children(lockDir); len(left) != 1 || left[0] != other {
		t.Errorf("destroy has left %q, want %q", left, other)
	}
	space.Delete(lockDir+"/"+other, lockDir)
}

// A resource that is replaced within a run lets the old lock go when it takes the
// new one.
func TestReplaceTakesTheNewLockOnly(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	gate := testkit.NewGate(t)
	w := newWorkspace(t, provider(space), lock("a", `lockid = "old"`))
	w.Apply().Succeed()
	space.WaitGone("/_zklocking/old")
	w.configure(provider(space), lock("a", `lockid = "new"`), guarded("work", "a", `"1"`, gate.Work()))
	apply := w.Apply()
	gate.AwaitBegun()
	space.WaitChildren("/_zklocking/new", 1)
	if space.Exists("/_zklocking/old") {
		t.Error("the old lock is there")
	}
	gate.End()
	apply.Succeed()
}
