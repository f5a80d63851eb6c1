// SPDX-License-Identifier: MPL-2.0

//go:build unix

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/testkit"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// A wrapper that starts the provider, and waits for it, is not the run: the lock is
// held until Terraform has ended.
func TestProviderBehindAWrapper(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		t.Skip("the environment of another process is not read here")
	}
	space := zktest.NewSpace(t)
	gate := testkit.NewGate(t)
	w := newWorkspace(t, provider(space), lock("a"), guarded("work", "a", `"1"`, gate.Work()))
	behind := filepath.Join(filepath.Dir(w.Program), "behind")
	if err := os.Mkdir(behind, 0o700); err != nil {
		t.Fatal(err)
	}
	behind = filepath.Join(behind, filepath.Base(w.Program))
	if err := os.Rename(w.Program, behind); err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf("#!/bin/sh\n'%s' \"$@\"\nexit $?\n", behind)
	if err := os.WriteFile(w.Program, []byte(script), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	apply := w.Apply()
	gate.AwaitBegun()
	w.AwaitNoProvider()
	if names := space.Children(lockDir); len(names) != 1 {
		t.Errorf("while the run goes on the lock's directory has %q", names)
	}
	w.Holder()
	gate.End()
	apply.Succeed()
	space.WaitGone(lockDir)
	w.AwaitNoProcess()
}

// A provider that cannot find its run looks at locks, and takes none.
func TestRunThatCannotBeFound(t *testing.T) {
	t.Parallel()
	if err := exec.Command("unshare", "--pid", "--fork", "true").Run(); err != nil {
		t.Skip("no pid namespace can be made here:", err)
	}
	space := zktest.NewSpace(t)
	w := newWorkspace(t, provider(space), `data "clocker_lock" "a" { lockid = "e2e" }`)
	// Where /proc is that of another pid namespace.
	isolated := func(args ...string) *testkit.Command {
		return w.StartCommand(exec.Command("unshare", append([]string{"--pid", "--fork", w.CLI.Path}, args...)...))
	}
	isolated("validate").Succeed()
	apply := isolated("apply", "-json", "-auto-approve", "-input=false")
	apply.Succeed()
	if !slices.ContainsFunc(apply.Diagnostics(), func(d testkit.Diagnostic) bool {
		return d.Severity == "warning" && d.Summary == "Run Not Found" && strings.Contains(d.Detail, "/proc")
	}) {
		t.Errorf("the diagnostics are %v", apply.Diagnostics())
	}
	w.configure(provider(space), lock("a"))
	isolated("validate").Succeed()
	apply = isolated("apply", "-json", "-auto-approve", "-input=false")
	apply.Fail()
	if d := apply.Err(); d.Summary != "Run Not Found" {
		t.Errorf("the error is %v", d)
	}
	if tree := space.Tree(); len(tree) > 0 {
		t.Errorf("there is %q", tree)
	}
	w.AwaitNoProcess()
}

// The teardown of one test file releases what its run took in another provider
// process, so that the next file has it.
func TestTerraformTestWithTwoFiles(t *testing.T) {
	t.Parallel()
	const held = `
  assert {
    condition     = clocker_lock.a.held
    error_message = "not held"
  }`
	for name, kind := range map[string]struct {
		needs  testkit.Versions
		lock   string
		after  string
		assert string
		twice  bool
	}{
		"until the run ends": {lock: lock("a"), after: "clocker_lock.a", assert: held, twice: true},
		"durable":            {lock: durableLock("a"), after: "clocker_lock.a", assert: held},
		"ephemeral":          {lock: ephemeralLock("a"), after: "ephemeral.clocker_lock.a", needs: testkit.EphemeralBlocks},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testkit.Needs(t, kind.needs)
			space := zktest.NewSpace(t)
			w := newWorkspace(t, provider(space), kind.lock, after(kind.after, "work", "true"))
			file := "run \"apply\" {" + kind.assert + "\n}\n"
			if kind.twice {
				file += strings.Replace(file, "apply", "again", 1)
			}
			for _, name := range []string{"first", "second"} {
				write(t, filepath.Join(w.Dir, name+".tftest.hcl"), file)
			}
			w.Start("test", "-no-color").Succeed()
			space.WaitGone(lockDir)
			w.AwaitNoProcess()
		})
	}
}

// Ctrl-C ends the run though its holder is stopped, and the user is told what to do.
func TestInterruptWhileTheHolderIsStopped(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	other := holdForeign(space)
	w := newWorkspace(t, provider(space), lock("a", "lockwait = -1"))
	apply := w.Apply()
	space.WaitChildren(lockDir, 2)
	holder := w.Holder()
	if err := holder.SendSignal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	apply.Interrupt()
	apply.Fail()
	if d := apply.Err(); d.Summary != "Lock Holder Does Not Answer" || !strings.Contains(d.Detail, fmt.Sprint("kill -CONT ", holder.Pid)) {
		t.Errorf("the error is %v", d)
	}
	if err := holder.SendSignal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if left := space.WaitChildren(lockDir, 1); left[0] != other {
		t.Errorf("the queue is %q, want %q", left, other)
	}
	w.AwaitNoProcess()
	space.Delete(lockDir+"/"+other, lockDir)
}

// A run whose holder was killed gets no more locks, and is told why.
func TestNoLockAfterTheHolderWasKilled(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	gate := testkit.NewGate(t)
	w := newWorkspace(t, provider(space, "session_timeout = 4"), lock("a", `on_lost = "continue"`), guarded("work", "a", `"1"`, gate.Work()),
		lock("later", `lockid = "later"`, "depends_on = [terraform_data.work]"))
	apply := w.Apply()
	gate.AwaitBegun()
	if err := w.Holder().Kill(); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the word of the loss", func() bool { return strings.Contains(apply.Stderr(), "unguarded.\n") })
	gate.End()
	apply.Fail()
	if d := apply.Err(); d.Summary != "Run Gets No More Locks" || d.Address != "clocker_lock.later" || !strings.Contains(d.Detail, `"e2e"`) {
		t.Errorf("the error is %v", d)
	}
	w.AwaitNoProcess()
	space.WaitChildren(lockDir, 0)
	deleteEmpty(space, lockDir)
}
