// SPDX-License-Identifier: MPL-2.0

//go:build unix

package e2e

import (
	"slices"
	"strings"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/testkit"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// A holder that is killed takes its locks along: the user is told once, and Terraform
// is interrupted once. A second interrupt would end it at once, without its state
// being written. What waits for another lock is told why it gets none.
func TestKilledHolderInterruptsTheRunOnce(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	other := holdForeign(space)
	gate, never := testkit.NewGate(t), testkit.NewGate(t)
	w := newWorkspace(t, provider(space, "session_timeout = 2"),
		lock("held", `lockid = "held"`),
		guarded("work", "held", `"1"`, gate.Work()),
		// Keeps the provider process from ending, so that it sees the end too.
		lock("waiting", "lockwait = -1"),
		guarded("never", "waiting", `"1"`, never.Work()))

	apply := w.Apply()
	gate.AwaitBegun()
	space.WaitChildren(lockDir, 2)
	if err := w.Holder().Kill(); err != nil {
		t.Fatal(err)
	}
	apply.Fail()
	if n := strings.Count(apply.Stderr(), `lock "held"`); n != 1 {
		t.Errorf("the loss was told %d times:\n%s", n, apply.Stderr())
	}
	if text := apply.Stdout(); !strings.Contains(text, "Interrupt received") || strings.Contains(text, "Two interrupts received") {
		t.Error("the run was not interrupted once")
	}
	if w.state("clocker_lock.held")["held"] != true {
		t.Error("the state was not written")
	}
	if never.HasBegun() {
		t.Error("work was begun after the interrupt")
	}
	w.AwaitNoProcess()
	gate.End()
	if left := space.WaitChildren(lockDir, 1); left[0] != other {
		t.Errorf("the queue is %q, want %q", left, other)
	}
	space.WaitChildren("/_zklocking/held", 0)
	if space.Exists("/_zklocking/held") {
		space.Delete("/_zklocking/held") // left by the end of the session
	}
	space.Delete(lockDir+"/"+other, lockDir)
}

// Provider configurations have a process each, and one holder. What all of them lose
// at the same time interrupts the run once.
func TestLossOfSeveralProvidersInterruptsTheRunOnce(t *testing.T) {
	t.Parallel()
	server := zktest.Own(t, zktest.Options{})
	space := zktest.NewSpaceOn(t, server)
	gate := testkit.NewGate(t)
	config := []string{provider(space, "session_timeout = 2"), guarded("work", "a0", `"1"`, gate.Work())}
	var last string
	for _, name := range []string{"a0", "a1", "a2"} {
		config = append(config, strings.Replace(provider(space, "session_timeout = 2"), "{", "{\n  alias = \""+name+"\"", 1))
		config = append(config, lock(name, `lockid = "`+name+`"`, "provider = clocker."+name, last))
		last = "depends_on = [clocker_lock." + name + "]"
	}
	config[1] = guarded("work", "a2", `"1"`, gate.Work())
	// Takes a while to end, as the server does not answer. Who is waited for has no
	// session, which the pause might end or not.
	space.Create("/_zklocking", nil, zktest.Persistent)
	space.Create(lockDir, nil, zktest.Persistent)
	const other = lockDir + "/lock-0000000000"
	space.Create(other, nil, zktest.Persistent)
	config = append(config, lock("waiting", "lockwait = -1", "provider = clocker.a0"))
	w := newWorkspace(t, config...)
	w.Env = slices.DeleteFunc(w.Env, func(v string) bool { return strings.HasPrefix(v, "HOME=") }) // as in a container
	apply := w.Apply()
	gate.AwaitBegun()
	space.WaitChildren(lockDir, 2)
	w.Holder()
	if err := server.Pause(); err != nil {
		t.Fatal(err)
	}
	apply.Fail()
	if text := apply.Stdout(); !strings.Contains(text, "Interrupt received") || strings.Contains(text, "Two interrupts received") {
		t.Error("the run was not interrupted once")
	}
	for _, name := range []string{"a0", "a1", "a2"} {
		if n := strings.Count(apply.Stderr(), `lock "`+name+`"`); n != 1 {
			t.Errorf("the loss of %s was told %d times", name, n)
		}
	}
	gate.End()
	w.AwaitNoProcess()
	if err := server.Resume(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a0", "a1", "a2"} {
		space.WaitChildren("/_zklocking/"+name, 0)
		space.Delete("/_zklocking/" + name)
	}
	space.WaitChildren(lockDir, 1)
	space.Delete(other, lockDir)
}
