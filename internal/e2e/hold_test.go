// SPDX-License-Identifier: MPL-2.0

//go:build unix

package e2e

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/testkit"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// The lock outlives the provider process: it is held until the work that
// depends on it ends, and let go when Terraform does.
func TestLockIsHeldUntilTheRunEnds(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	first, second := testkit.NewGate(t), testkit.NewGate(t)
	w := newWorkspace(t, provider(space), lock("a"),
		guarded("first", "a", `"1"`, first.Work()),
		// Not on the lock itself, and begun when the first has ended.
		fmt.Sprintf(`
resource "terraform_data" "second" {
  depends_on = [terraform_data.first]
  provisioner "local-exec" {
    command = %q
  }
}
`, second.Work()))

	apply := w.Apply()
	first.AwaitBegun()
	w.AwaitNoProvider()
	held := space.WaitChildren(lockDir, 1)
	first.End()
	second.AwaitBegun()
	if now := space.Children(lockDir); !slices.Equal(now, held) {
		t.Fatalf("while the run goes on the lock's directory has %q, want %q", now, held)
	}
	gone := watchGone(t, space, lockDir+"/"+held[0])
	second.End()
	apply.Succeed()
	t.Logf("the znode was gone %v after Terraform's exit", gone().Sub(apply.Ended).Round(time.Millisecond/10))
	w.AwaitNoProcess()
	space.WaitGone(lockDir)
}

// As a user would see it: five seconds of work, in a pipeline of a shell.
func TestLockIsHeldDuringFiveSecondsInAPipeline(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	ended := filepath.Join(t.TempDir(), "ended")
	w := newWorkspace(t, provider(space), lock("a"), guarded("work", "a", `"1"`, "sleep 5; touch "+ended))

	pipeline := w.StartCommand(exec.Command("sh", "-c", `"$0" apply -auto-approve -input=false | cat`, w.CLI.Path))
	space.WaitExists(lockDir)
	w.AwaitNoProvider()
	held := space.WaitChildren(lockDir, 1)
	gone := watchGone(t, space, lockDir+"/"+held[0])
	pipeline.Succeed()
	gone()
	if !exists(ended) {
		t.Error("the lock was let go before the work ended")
	}
	w.AwaitNoProcess()
}

// The holder has nothing of Terraform's: neither its output, nor what Terraform
// inherited from its shell. A reader of those sees their end when Terraform
// ends, even if the holder does not.
func TestHolderKeepsNoPipeOpen(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	gate := testkit.NewGate(t)
	w := newWorkspace(t, provider(space), lock("a"), guarded("work", "a", `"1"`, gate.Work()))

	apply := w.Apply()
	gate.AwaitBegun()
	w.AwaitNoProvider()
	holder := w.Holder()
	if err := holder.Suspend(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = holder.Resume() }()
	gate.End()
	apply.Succeed() // waits for the end of the pipes
	if len(space.Children(lockDir)) != 1 {
		t.Error("the lock is not held any more, though its holder is stopped")
	}
	if err := holder.Resume(); err != nil {
		t.Fatal(err)
	}
	space.WaitGone(lockDir)
}

// Runs that share a lock do the guarded work one at a time.
func TestConcurrentRunsAreSerialized(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	gates := [2]*testkit.Gate{testkit.NewGate(t), testkit.NewGate(t)}
	applies := [2]*testkit.Command{}
	for i, gate := range gates {
		w := newWorkspace(t, provider(space), lock("a", "lockwait = -1"), guarded("work", "a", `"1"`, gate.Work()))
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
	applies[first].Succeed()
	gates[second].AwaitBegun()
	gates[second].End()
	applies[second].Succeed()
}

// watchGone watches a znode from now on. The function returned waits until it is
// gone and tells when that was.
func watchGone(t *testing.T, space *zktest.Space, znode string) func() time.Time {
	t.Helper()
	there, _, event, err := space.Conn().ExistsW(space.Path(znode))
	if err != nil || !there {
		t.Fatalf("%s: there %t, error %v", znode, there, err)
	}
	gone := make(chan time.Time, 1)
	go func() {
		<-event
		gone <- time.Now()
	}()
	return func() time.Time {
		t.Helper()
		at := testkit.Await(t, "the end of "+znode, gone)
		if space.Exists(znode) {
			t.Fatalf("%s is there, but was changed", znode)
		}
		return at
	}
}
