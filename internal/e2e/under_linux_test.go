// SPDX-License-Identifier: MPL-2.0

package e2e

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/testkit"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// At a terminal the command reads what is typed, and gets Ctrl-C once.
func TestUnderATerminal(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	work := newCounting(t)
	w := newUnder(t, space)
	_, master, slave := openTerminal(t)
	cmd := w.under("--lockid", "e2e", "--", "sh", "-c", "read -r line; echo \"typed $line\"; "+work.script())
	cmd.Stdin = slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	c := w.StartCommand(cmd)
	_ = slave.Close()
	if _, err := master.WriteString("hello\n"); err != nil {
		t.Fatal(err)
	}
	work.process()
	testkit.Eventually(t, "what the command has read", func() bool { return c.Stdout() == "typed hello\n" })
	w.awaitListener()
	if _, err := master.WriteString("\x03"); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the interrupt of the command", func() bool { return work.got() != "" })
	work.End()
	c.Succeed()
	if got := work.got(); got != "INT" {
		t.Errorf("the command got %s, want INT once", got)
	}
	space.WaitGone(lockDir)
	w.AwaitNoProcess()
}

// Where `run` is process 1 of a container, its end kills every process there, the holder
// among them. The lock is released before that. A signal is passed on, as to any `run`.
func TestUnderAsProcessOne(t *testing.T) {
	t.Parallel()
	if err := exec.Command("unshare", "--pid", "--fork", "--mount-proc", "true").Run(); err != nil {
		t.Skip("no pid namespace can be made here:", err)
	}
	space := zktest.NewSpace(t)
	work := newCounting(t)
	w := newUnder(t, space)
	args := append([]string{"--pid", "--fork", "--mount-proc"}, w.under("--lockid", "e2e", "--", "sh", "-c", work.script()).Args...)
	c := w.StartCommand(exec.Command("unshare", args...))
	work.AwaitBegun()
	w.awaitListener()
	space.WaitChildren(lockDir, 1)
	for command, found := range w.Processes() {
		if strings.HasPrefix(command, "run ") {
			if err := found[0].SendSignal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
		}
	}
	testkit.Eventually(t, "the signal to the command", func() bool { return work.got() != "" })
	space.WaitChildren(lockDir, 1)
	work.End()
	c.Succeed()
	if got := work.got(); got != "TERM" {
		t.Errorf("the command got %s, want TERM once", got)
	}
	space.WaitGone(lockDir)
	w.AwaitNoProcess()
}

// The reason of a loss reaches a standard error that is a socket, as below programs that
// run on Node, whatever the kernel lets other processes do with it.
func TestUnderALostLockIsToldOnASocket(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	work := newCounting(t)
	w := newUnder(t, space)
	cmd := exec.Command("sh", append([]string{"-c", `exec "$0" "$@" 2>&4 4>&-`}, w.under("--lockid", "e2e", "--", "sh", work.file()).Args...)...)
	socket, told := openSocket(t)
	cmd.ExtraFiles = []*os.File{socket}
	c := w.StartCommand(cmd)
	_ = socket.Close()
	work.process()
	held := space.WaitChildren(lockDir, 1)
	space.Delete(lockDir + "/" + held[0])
	testkit.Eventually(t, "the interrupt of the command", func() bool { return work.got() != "" })
	work.End()
	if code := c.Wait(); code != 74 {
		t.Errorf("exit code %d, want 74", code)
	}
	if text := testkit.Await(t, "the end of the socket", told); !strings.Contains(text, "somebody deleted its znode. Interrupting this run.") {
		t.Errorf("the user was told %q", text)
	}
	deleteEmpty(space, lockDir)
	w.AwaitNoProcess()
}
