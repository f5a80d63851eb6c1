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
	gate := newGate(t)
	w := newWorkspace(t, provider(space), lock("a"), guarded("work", "a", `"1"`, gate.work()))
	wrapper, behind := filepath.Join(w.plugins, providerFile), filepath.Join(w.plugins, "behind")
	if err := os.Mkdir(behind, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(wrapper, filepath.Join(behind, providerFile)); err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf("#!/bin/sh\n'%s/%s' \"$@\"\nexit $?\n", behind, providerFile)
	if err := os.WriteFile(wrapper, []byte(script), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	w.plugins = behind
	apply := w.apply()
	gate.awaitBegun()
	w.awaitNoProvider()
	if names := space.Children(lockDir); len(names) != 1 {
		t.Errorf("while the run goes on the lock's directory has %q", names)
	}
	w.holder()
	gate.end()
	apply.succeed()
	space.WaitGone(lockDir)
	w.awaitNoProcess()
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
	isolated := func(args ...string) *command {
		return w.startCommand(exec.Command("unshare", append([]string{"--pid", "--fork", w.cli}, args...)...))
	}
	isolated("validate").succeed()
	apply := isolated("apply", "-json", "-auto-approve", "-input=false")
	apply.succeed()
	if !slices.ContainsFunc(apply.diagnostics(), func(d diagnostic) bool {
		return d.Severity == "warning" && d.Summary == "Run Not Found" && strings.Contains(d.Detail, "/proc")
	}) {
		t.Errorf("the diagnostics are %v", apply.diagnostics())
	}
	w.configure(provider(space), lock("a"))
	isolated("validate").succeed()
	apply = isolated("apply", "-json", "-auto-approve", "-input=false")
	apply.fail()
	if d := apply.err(); d.Summary != "Run Not Found" {
		t.Errorf("the error is %v", d)
	}
	if tree := space.Tree(); len(tree) > 0 {
		t.Errorf("there is %q", tree)
	}
	w.awaitNoProcess()
}

// The teardown of one test file releases what its run took in another provider
// process, so that the next file has it.
func TestTerraformTestWithTwoFiles(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]struct {
		needs func(*testing.T)
		lock  string
		after string
		twice bool
	}{
		"until the run ends": {lock: lock("a"), after: "clocker_lock.a", twice: true},
		"durable":            {lock: durableLock("a"), after: "clocker_lock.a"},
		"ephemeral":          {lock: ephemeralLock("a"), after: "ephemeral.clocker_lock.a", needs: needsEphemeral},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if kind.needs != nil {
				kind.needs(t)
			}
			space := zktest.NewSpace(t)
			w := newWorkspace(t, provider(space), kind.lock, after(kind.after, "work", "true"))
			assert := ""
			if kind.needs == nil {
				assert = `
  assert {
    condition     = clocker_lock.a.held
    error_message = "not held"
  }`
			}
			file := "run \"apply\" {" + assert + "\n}\n"
			if kind.twice {
				file += strings.Replace(file, "apply", "again", 1)
			}
			for _, name := range []string{"first", "second"} {
				write(t, filepath.Join(w.dir, name+".tftest.hcl"), file)
			}
			w.start("test", "-no-color").succeed()
			space.WaitGone(lockDir)
			w.awaitNoProcess()
		})
	}
}

// Ctrl-C ends the run though its holder is stopped, and the user is told what to do.
func TestInterruptWhileTheHolderIsStopped(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	other := holdForeign(space)
	w := newWorkspace(t, provider(space), lock("a", "lockwait = -1"))
	apply := w.apply()
	space.WaitChildren(lockDir, 2)
	holder := w.holder()
	if err := holder.SendSignal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	apply.interrupt()
	apply.fail()
	if d := apply.err(); d.Summary != "Lock Holder Does Not Answer" || !strings.Contains(d.Detail, fmt.Sprint("kill -CONT ", holder.Pid)) {
		t.Errorf("the error is %v", d)
	}
	if err := holder.SendSignal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if left := space.WaitChildren(lockDir, 1); left[0] != other {
		t.Errorf("the queue is %q, want %q", left, other)
	}
	w.awaitNoProcess()
	space.Delete(lockDir+"/"+other, lockDir)
}

// A run whose holder was killed gets no more locks, and is told why.
func TestNoLockAfterTheHolderWasKilled(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	gate := newGate(t)
	w := newWorkspace(t, provider(space, "session_timeout = 4"), lock("a", `on_lost = "continue"`), guarded("work", "a", `"1"`, gate.work()),
		lock("later", `lockid = "later"`, "depends_on = [terraform_data.work]"))
	apply := w.apply()
	gate.awaitBegun()
	if err := w.holder().Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the word of the loss", func() bool { return strings.Contains(apply.stderr(), "unguarded.\n") })
	gate.end()
	apply.fail()
	if d := apply.err(); d.Summary != "Run Gets No More Locks" || d.Address != "clocker_lock.later" || !strings.Contains(d.Detail, `"e2e"`) {
		t.Errorf("the error is %v", d)
	}
	w.awaitNoProcess()
	space.WaitChildren(lockDir, 0)
	deleteEmpty(space, lockDir)
}
