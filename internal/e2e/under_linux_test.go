package e2e

import (
	"syscall"
	"testing"

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
	c := w.startCommand(cmd)
	_ = slave.Close()
	if _, err := master.WriteString("hello\n"); err != nil {
		t.Fatal(err)
	}
	work.process()
	if c.stdout() != "typed hello\n" {
		t.Errorf("printed %q", c.stdout())
	}
	w.awaitListener()
	if _, err := master.WriteString("\x03"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the interrupt of the command", func() bool { return work.got() != "" })
	work.end()
	c.succeed()
	if got := work.got(); got != "INT" {
		t.Errorf("the command got %s, want INT once", got)
	}
	space.WaitGone(lockDir)
	w.awaitNoProcess()
}
