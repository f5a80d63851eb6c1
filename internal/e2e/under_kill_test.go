//go:build unix

package e2e

import (
	"strings"
	"syscall"
	"testing"

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
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		await(t, "the end of run", c.exited)
		w.holder()
		if now := space.Children(lockDir); len(now) != 1 || now[0] != held[0] {
			t.Errorf("while the command works the lock's directory has %q, want %q", now, held)
		}
		gone := watchGone(t, space, lockDir+"/"+held[0])
		command.end()
		gone()
		space.WaitGone(lockDir)
		if got := command.got(); got != "" {
			t.Errorf("the command got %s", got)
		}
		w.awaitNoProcess()
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
		if code := c.wait(); code != 137 {
			t.Errorf("exit code %d, want 137", code)
		}
		space.WaitGone(lockDir)
		w.awaitNoProcess()
	})
	t.Run("of both", func(t *testing.T) {
		t.Parallel()
		space := zktest.NewSpace(t)
		command := newCounting(t)
		w := newUnder(t, space)
		c := w.startShell(command.script())
		command.process()
		if err := syscall.Kill(-c.Process.Pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		c.wait()
		space.WaitGone(lockDir)
		w.awaitNoProcess()
	})
	t.Run("of run while it waits", func(t *testing.T) {
		t.Parallel()
		space := zktest.NewSpace(t)
		other := holdForeign(space)
		command := newCounting(t)
		w := newUnder(t, space)
		c := w.startCommand(w.under("--lockid", "e2e", "--lockwait", "-1", "--", "sh", "-c", command.script()))
		space.WaitChildren(lockDir, 2)
		c.kill()
		space.WaitChildren(lockDir, 1)
		w.awaitNoProcess()
		if command.hasBegun() {
			t.Error("the command was started")
		}
		space.Delete(lockDir+"/"+other, lockDir)
	})
	t.Run("of the holder", func(t *testing.T) {
		t.Parallel()
		space := zktest.NewSpace(t)
		command := newCounting(t)
		w := newUnder(t, space)
		w.setenv("CLOCKER_SESSION_TIMEOUT", "2")
		c := w.startShell(command.script())
		command.process()
		if err := w.holder().Kill(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the interrupt of the command", func() bool { return command.got() != "" })
		command.end()
		if code := c.wait(); code != 74 {
			t.Errorf("exit code %d, want 74", code)
		}
		if got := command.got(); got != "INT" || !strings.Contains(c.stderr(), "the process that held it has ended") {
			t.Errorf("the command got %s, and the user %q", got, c.stderr())
		}
		w.awaitNoProcess()
		space.WaitChildren(lockDir, 0)
		deleteEmpty(space, lockDir)
	})
}
