// SPDX-License-Identifier: MPL-2.0

//go:build unix

package e2e

import (
	"strings"
	"syscall"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/testkit"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// The lock is held until the command has ended, whoever is killed, and free at once then.
func TestUnderAKill(t *testing.T) {
	t.Parallel()
	t.Run("of run", func(t *testing.T) {
		t.Parallel()
		space := zktest.NewSpace(t)
		command := newCounting(t)
		w := newUnder(t, space)
		c := w.startShell(command.script())
		command.process()
		held := space.WaitChildren(lockDir, 1)
		if err := c.Cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		testkit.Await(t, "the end of run", c.Exited)
		w.Holder()
		if now := space.Children(lockDir); len(now) != 1 || now[0] != held[0] {
			t.Errorf("while the command works the lock's directory has %q, want %q", now, held)
		}
		gone := watchGone(t, space, lockDir+"/"+held[0])
		command.End()
		gone()
		space.WaitGone(lockDir)
		if got := command.got(); got != "" {
			t.Errorf("the command got %s", got)
		}
		w.AwaitNoProcess()
	})
	t.Run("of the command", func(t *testing.T) {
		t.Parallel()
		space := zktest.NewSpace(t)
		command := newCounting(t)
		w := newUnder(t, space)
		c := w.startShell(command.script())
		if err := command.process().Kill(); err != nil {
			t.Fatal(err)
		}
		if code := c.Wait(); code != 137 {
			t.Errorf("exit code %d, want 137", code)
		}
		space.WaitGone(lockDir)
		w.AwaitNoProcess()
	})
	t.Run("of both", func(t *testing.T) {
		t.Parallel()
		space := zktest.NewSpace(t)
		command := newCounting(t)
		w := newUnder(t, space)
		c := w.startShell(command.script())
		command.process()
		if err := syscall.Kill(-c.Pid(), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		c.Wait()
		space.WaitGone(lockDir)
		w.AwaitNoProcess()
	})
	t.Run("of run while it waits", func(t *testing.T) {
		t.Parallel()
		space := zktest.NewSpace(t)
		other := holdForeign(space)
		command := newCounting(t)
		w := newUnder(t, space)
		c := w.StartCommand(w.under("--lockid", "e2e", "--lockwait", "-1", "--", "sh", "-c", command.script()))
		space.WaitChildren(lockDir, 2)
		c.Kill()
		space.WaitChildren(lockDir, 1)
		w.AwaitNoProcess()
		if command.HasBegun() {
			t.Error("the command was started")
		}
		space.Delete(lockDir+"/"+other, lockDir)
	})
	t.Run("of the holder", func(t *testing.T) {
		t.Parallel()
		space := zktest.NewSpace(t)
		command := newCounting(t)
		w := newUnder(t, space)
		w.Setenv("CLOCKER_SESSION_TIMEOUT", "2")
		c := w.startShell(command.script())
		command.process()
		if err := w.Holder().Kill(); err != nil {
			t.Fatal(err)
		}
		testkit.Eventually(t, "the interrupt of the command", func() bool { return command.got() != "" })
		command.End()
		if code := c.Wait(); code != 74 {
			t.Errorf("exit code %d, want 74", code)
		}
		if got := command.got(); got != "INT" || !strings.Contains(c.Stderr(), "the process that held it has ended") {
			t.Errorf("the command got %s, and the user %q", got, c.Stderr())
		}
		w.AwaitNoProcess()
		space.WaitChildren(lockDir, 0)
		deleteEmpty(space, lockDir)
	})
}
