//go:build unix

package e2e

import (
	"fmt"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// promptly is before the provider stops waiting for a holder that does not answer,
// and takes some hundredths of a second in fact.
const promptly = 4 * time.Second

// Ctrl-C while waiting ends the run, whoever gets the signal, and leaves no
// contender.
func TestInterruptEndsTheWait(t *testing.T) {
	t.Parallel()
	for name, interrupt := range map[string]func(*command){
		"of Terraform":         (*command).interrupt,
		"of its process group": (*command).interruptGroup, // as a terminal does
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			space := zktest.NewSpace(t)
			other := holdForeign(space)
			gate := newGate(t)
			w := newWorkspace(t, provider(space), lock("a", "lockwait = -1"), guarded("work", "a", `"1"`, gate.work()))
			apply := w.apply()
			space.WaitChildren(lockDir, 2)
			at := time.Now()
			interrupt(apply)
			apply.fail()
			took := apply.ended.Sub(at)
			t.Logf("the run ended %v after the interrupt", took.Round(time.Millisecond))
			if took > promptly {
				t.Errorf("the run ended %v after the interrupt", took)
			}
			if d := apply.err(); d.Summary != "Interrupted" || d.Address != "clocker_lock.a" {
				t.Errorf("the error is %v", d)
			}
			if gate.hasBegun() {
				t.Error("the guarded work was done")
			}
			if left := space.WaitChildren(lockDir, 1); left[0] != other {
				t.Errorf("the queue is %q, want %q", left, other)
			}
			w.awaitNoProcess()
			space.Delete(lockDir+"/"+other, lockDir)
		})
	}
}

// Ctrl-C in a terminal reaches the whole process group while Terraform has yet to
// finish: the lock is held until it has.
func TestInterruptLeavesTheLockToTerraform(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	gate := newGate(t)
	interrupted := filepath.Join(t.TempDir(), "interrupted")
	w := newWorkspace(t, provider(space), lock("a"),
		guarded("work", "a", `"1"`, fmt.Sprintf("trap 'touch %s' INT; until %s; do :; done", interrupted, gate.work())))
	apply := w.apply()
	gate.awaitBegun()
	w.awaitNoProvider()
	held := space.WaitChildren(lockDir, 1)

	apply.signal(syscall.SIGSTOP) // it takes long to finish
	apply.interruptGroup()
	eventually(t, "the interrupt of the work", func() bool { return exists(interrupted) })
	w.holder()
	if now := space.Children(lockDir); !slices.Equal(now, held) {
		t.Errorf("while the run goes on the lock's directory has %q, want %q", now, held)
	}
	gate.end()
	apply.signal(syscall.SIGCONT)
	apply.wait()
	space.WaitGone(lockDir)
}

// destroy needs no lock, and leaves none.
func TestDestroyLeavesNothing(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	w := newWorkspace(t, provider(space), lock("a"))
	w.apply().succeed()
	space.WaitGone(lockDir)

	// Someone else's lock is no obstacle, and stays.
	other := holdForeign(space)
	w.start("destroy", "-json", "-auto-approve", "-input=false").succeed()
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
	gate := newGate(t)
	w := newWorkspace(t, provider(space), lock("a", `lockid = "old"`))
	w.apply().succeed()
	space.WaitGone("/_zklocking/old")
	w.configure(provider(space), lock("a", `lockid = "new"`), guarded("work", "a", `"1"`, gate.work()))
	apply := w.apply()
	gate.awaitBegun()
	space.WaitChildren("/_zklocking/new", 1)
	if space.Exists("/_zklocking/old") {
		t.Error("the old lock is there")
	}
	gate.end()
	apply.succeed()
}
