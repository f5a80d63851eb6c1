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

// The command gets a signal once, whether it is sent to `run` alone, to its process
// group, as by a terminal, or to all processes of a job one by one. The lock is held
// until the command has ended.
func TestUnderASignal(t *testing.T) {
	t.Parallel()
	const (
		INT  = syscall.SIGINT
		TERM = syscall.SIGTERM
		HUP  = syscall.SIGHUP
	)
	alone := func(s syscall.Signal) func(*testing.T, *workspace, *testkit.Command, *counting) {
		return func(_ *testing.T, _ *workspace, c *testkit.Command, _ *counting) { c.Signal(s) }
	}
	group := func(s syscall.Signal) func(*testing.T, *workspace, *testkit.Command, *counting) {
		return func(t *testing.T, _ *workspace, c *testkit.Command, _ *counting) {
			if err := syscall.Kill(-c.Pid(), s); err != nil {
				t.Fatal(err)
			}
		}
	}
	all := func(s syscall.Signal) func(*testing.T, *workspace, *testkit.Command, *counting) {
		return func(_ *testing.T, w *workspace, _ *testkit.Command, work *counting) {
			_ = work.process().Signal(s)
			for _, found := range w.Processes() {
				for _, p := range found {
					_ = p.SendSignal(s)
				}
			}
		}
	}
	for name, tc := range map[string]struct {
		send func(*testing.T, *workspace, *testkit.Command, *counting)
		want string
	}{
		"INT alone":    {alone(INT), "INT"},
		"TERM alone":   {alone(TERM), "TERM"},
		"HUP alone":    {alone(HUP), "HUP"},
		"INT to group": {group(INT), "INT"},
		// What GitHub Actions sends to a job that is cancelled, in seven seconds and a half.
		"INT and then TERM alone": {func(t *testing.T, _ *workspace, c *testkit.Command, work *counting) {
			c.Signal(INT)
			testkit.Eventually(t, "the first signal", func() bool { return work.got() != "" })
			c.Signal(TERM)
		}, "INT"},
		"TERM to all": {all(TERM), "TERM"},
		"HUP to all":  {all(HUP), "HUP"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			space := zktest.NewSpace(t)
			work := newCounting(t)
			w := newUnder(t, space)
			c := w.startShell(work.script())
			work.process()
			w.awaitListener()
			tc.send(t, w, c, work)
			testkit.Eventually(t, "the signal to the command", func() bool { return work.got() != "" })
			space.WaitChildren(lockDir, 1)
			// This one comes after the first would have been passed on, and ends the command.
			c.Signal(syscall.SIGUSR1)
			if code, want := c.Wait(), 128+int(syscall.SIGUSR1); code != want {
				t.Errorf("exit code %d, want %d", code, want)
			}
			space.WaitGone(lockDir)
			w.AwaitNoProcess()
			if got := work.got(); got != tc.want {
				t.Errorf("the command got %s, want %s once", got, tc.want)
			}
		})
	}
}

// Ctrl-C ends the wait at once, and leaves nothing.
func TestUnderAnInterruptedWait(t *testing.T) {
	t.Parallel()
	for name, interrupt := range map[string]func(*testkit.Command){
		"alone": (*testkit.Command).Interrupt,
		"group": (*testkit.Command).InterruptGroup,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			space := zktest.NewSpace(t)
			other := holdForeign(space)
			work := newCounting(t)
			w := newUnder(t, space)
			c := w.StartCommand(w.under("--lockid", "e2e", "--lockwait", "-1", "--", "sh", "-c", work.script()))
			space.WaitChildren(lockDir, 2)
			interrupt(c)
			if code := c.Wait(); code != 130 {
				t.Errorf("exit code %d, want 130", code)
			}
			if left := space.WaitChildren(lockDir, 1); left[0] != other {
				t.Errorf("the queue is %q, want %q", left, other)
			}
			if work.HasBegun() {
				t.Error("the command was started")
			}
			w.AwaitNoProcess()
			space.Delete(lockDir+"/"+other, lockDir)
		})
	}
}

// A lock that is lost interrupts the command, once, and all that waits for it; the user
// is told why, and the exit code says it.
func TestUnderALostLock(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		flags    []string
		stopping bool
		want     string
		says     string
	}{
		"interrupts":          {nil, false, "INT", "Interrupting this run."},
		"only says so":        {[]string{"--on-lost", "continue"}, false, "", "goes on unguarded"},
		"when it is stopping": {nil, true, "TERM", "is stopping already"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			space := zktest.NewSpace(t)
			work := newCounting(t)
			w := newUnder(t, space)
			script := "trap : INT; sh " + work.file() + "; exit 0" // a shell tells what it waits for nothing
			if tc.stopping {
				script = "exec sh " + work.file()
			}
			c := w.StartCommand(w.under(append(append([]string{"--lockid", "e2e"}, tc.flags...), "--", "sh", "-c", script)...))
			work.process()
			if tc.stopping {
				c.Signal(syscall.SIGTERM)
				testkit.Eventually(t, "the signal to the command", func() bool { return work.got() != "" })
			}
			held := space.WaitChildren(lockDir, 1)
			space.Delete(lockDir + "/" + held[0])
			testkit.Eventually(t, "the word of the loss", func() bool { return strings.Contains(c.Stderr(), tc.says) })
			if tc.want == "INT" {
				testkit.Eventually(t, "the interrupt of the command", func() bool { return work.got() != "" })
			}
			work.End()
			if code := c.Wait(); code != 74 {
				t.Errorf("exit code %d, want 74", code)
			}
			if got := work.got(); got != tc.want {
				t.Errorf("the command got %s, want %s", got, tc.want)
			}
			deleteEmpty(space, lockDir)
			w.AwaitNoProcess()
		})
	}
}

// A shell dies of SIGTERM at once, whatever it waits for. That is told to stop, too, once,
// and the lock is held until it has ended.
func TestUnderAShellThatDies(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		send func(*testkit.Command)
		want string
	}{
		"run alone": {func(c *testkit.Command) { c.Signal(syscall.SIGTERM) }, "INT"},
		"the group": {func(c *testkit.Command) { _ = syscall.Kill(-c.Pid(), syscall.SIGTERM) }, "TERM"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			space := zktest.NewSpace(t)
			work := newCounting(t)
			w := newUnder(t, space)
			c := w.startShell("sh " + work.file() + "; exit 0")
			work.process()
			w.awaitListener()
			tc.send(c)
			testkit.Eventually(t, "the word of what goes on", func() bool { return strings.Contains(c.Stderr(), "what it has started has not") })
			testkit.Eventually(t, "the signal to the work", func() bool { return work.got() != "" })
			space.WaitChildren(lockDir, 1)
			work.End()
			if code := c.Wait(); code != 143 {
				t.Errorf("exit code %d, want that of the shell, 143", code)
			}
			if got := work.got(); got != tc.want {
				t.Errorf("the work got %s, want %s", got, tc.want)
			}
			space.WaitGone(lockDir)
			w.AwaitNoProcess()
		})
	}
}
