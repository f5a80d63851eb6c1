// SPDX-License-Identifier: MPL-2.0

//go:build unix

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/shirou/gopsutil/v4/process"

	"github.com/clocker/terraform-provider-clocker/internal/testkit"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// A killed Terraform's lock is let go at once, and the next run works then.
func TestKilledRunLetsItsLockGo(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	work, next := testkit.NewGate(t), testkit.NewGate(t)
	killed := newWorkspace(t, provider(space), lock("a"), guarded("work", "a", `"1"`, work.Work()))
	waiting := newWorkspace(t, provider(space), lock("a", "lockwait = -1"), guarded("work", "a", `"1"`, next.Work()))

	apply := killed.Apply()
	work.AwaitBegun()
	held := space.WaitChildren(lockDir, 1)
	second := waiting.Apply()
	space.WaitChildren(lockDir, 2)
	if next.HasBegun() {
		t.Error("the second run works while the first does")
	}

	gone := watchGone(t, space, lockDir+"/"+held[0])
	apply.Kill()
	t.Logf("the znode was gone %v after Terraform was killed", gone().Sub(apply.Ended).Round(time.Millisecond/10))
	killed.AwaitNoProcess()
	next.AwaitBegun()
	next.End()
	second.Succeed()
	work.End() // the orphan's
}

// A Terraform that is killed while it waits for the lock leaves no contender, and
// no provider process either, which Terraform itself would.
func TestKilledWaitingRunLeavesNothing(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	other := holdForeign(space)
	w := newWorkspace(t, provider(space), lock("a", "lockwait = -1"))

	apply := w.Apply()
	space.WaitChildren(lockDir, 2)
	apply.Kill()
	if left := space.WaitChildren(lockDir, 1); left[0] != other {
		t.Errorf("the queue is %q, want %q", left, other)
	}
	w.AwaitNoProcess()
	space.Delete(lockDir+"/"+other, lockDir)
}

// A Terraform that nobody reaps has ended all the same, however it did.
func TestZombieTerraformHasEnded(t *testing.T) {
	t.Parallel()
	for name, killed := range map[string]bool{"killed": true, "ended": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			space := zktest.NewSpace(t)
			gate := testkit.NewGate(t)
			w := newWorkspace(t, provider(space), lock("a"), guarded("work", "a", `"1"`, gate.Work()))
			// cat knows nothing of the child that the shell has left it.
			parent := w.StartCommand(exec.Command("sh", "-c",
				fmt.Sprintf(`"$0" apply -auto-approve -input=false & echo $! >pid; exec cat <'%s'`, testkit.NewGate(t).Open.Name()), w.CLI.Path))
			gate.AwaitBegun()
			w.AwaitNoProvider()
			text, err := os.ReadFile(filepath.Join(w.Dir, "pid"))
			if err != nil {
				t.Fatal(err)
			}
			pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
			if err != nil {
				t.Fatal(err)
			}
			if killed {
				err = syscall.Kill(pid, syscall.SIGKILL)
			}
			if err != nil {
				t.Fatal(err)
			}
			gate.End()
			space.WaitGone(lockDir)
			w.AwaitNoProcess()
			zombie := process.Process{Pid: int32(pid)} //nolint:gosec // a pid fits
			if status, err := zombie.Status(); err != nil || !slices.Equal(status, []string{process.Zombie}) {
				t.Errorf("Terraform is %q, want a zombie: %v", status, err)
			}
			parent.Kill()
		})
	}
}

// A provider process that has nothing to do ends with a Terraform that is killed,
// too.
func TestKilledRunLeavesNoIdleProvider(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	gate := testkit.NewGate(t)
	w := newWorkspace(t, provider(space),
		lock("a"),
		guarded("work", "a", `"1"`, gate.Work()),
		// Keeps the provider process, which has nothing to do meanwhile.
		lock("later", `lockid = "later"`, "depends_on = [terraform_data.work]"))

	apply := w.Apply()
	gate.AwaitBegun()
	w.Provider()
	apply.Kill()
	w.AwaitNoProcess()
	gate.End()
}

// A provider process that is killed takes no lock along: the work that the lock
// guards goes on.
func TestKilledProviderLeavesTheLock(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	other := holdForeign(space)
	gate := testkit.NewGate(t)
	w := newWorkspace(t, provider(space),
		lock("held", `lockid = "held"`),
		guarded("work", "held", `"1"`, gate.Work()),
		// Keeps the provider process from ending.
		lock("waiting", "lockwait = -1"))
	const heldDir = "/_zklocking/held"

	apply := w.Apply()
	gate.AwaitBegun()
	held := space.WaitChildren(heldDir, 1)
	space.WaitChildren(lockDir, 2)
	if err := w.Provider().Kill(); err != nil {
		t.Fatal(err)
	}
	w.AwaitNoProvider()
	space.WaitChildren(lockDir, 1) // what waited has left the queue
	if now := space.Children(heldDir); !slices.Equal(now, held) {
		t.Errorf("the held lock's directory has %q, want %q", now, held)
	}
	w.Holder()

	gone := watchGone(t, space, heldDir+"/"+held[0])
	gate.End()
	apply.Fail()
	t.Logf("the znode was gone %v after Terraform's exit", gone().Sub(apply.Ended).Round(time.Millisecond/10))
	w.AwaitNoProcess()
	space.Delete(lockDir+"/"+other, lockDir)
}

// A holder that is killed takes its locks along, but hangs nothing.
func TestKilledHolderHangsNothing(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	other := holdForeign(space)
	w := newWorkspace(t, provider(space, "session_timeout = 2"), lock("a", "lockwait = -1"))

	apply := w.Apply()
	space.WaitChildren(lockDir, 2)
	if err := w.Holder().Kill(); err != nil {
		t.Fatal(err)
	}
	apply.Fail()
	if d := apply.Err(); d.Summary != "Lock Holder Ended" {
		t.Errorf("the error is %v", d)
	}
	space.Delete(lockDir + "/" + other)
	space.WaitChildren(lockDir, 0)
	space.Delete(lockDir)
}

// holdForeign makes another client's contender that holds the lock e2e, and
// returns its name.
func holdForeign(space *zktest.Space) string {
	if !space.Exists("/_zklocking") {
		space.Create("/_zklocking", nil, zktest.Persistent)
	}
	space.Create(lockDir, nil, zktest.Persistent)
	path := space.Create(lockDir+"/lock-", []byte("another client"), zktest.EphemeralSequential)
	return path[len(lockDir)+1:]
}
