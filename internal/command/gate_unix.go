//go:build unix

package command

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/clocker/terraform-provider-clocker/internal/early"
	"github.com/clocker/terraform-provider-clocker/internal/holder"
	"github.com/clocker/terraform-provider-clocker/internal/run"
)

// opening is the starter's side of a gate.
type opening struct {
	*exec.Cmd
	pipe  *os.File
	ended chan struct{} // closed when the process has ended
}

// startGate starts the process that will be the command.
func (r *running) startGate() (*opening, error) {
	self, err := holder.Executable()
	if err != nil {
		return nil, err
	}
	var fds [2]int
	if err := unix.Pipe(fds[:]); err != nil {
		return nil, fmt.Errorf("pipe: %w", err)
	}
	// One end only is the child's. As one of ExtraFiles it could take the place of a
	// descriptor that the command is to have from our starter.
	unix.CloseOnExec(fds[1])
	theirs, ours := os.NewFile(uintptr(fds[0]), "gate"), os.NewFile(uintptr(fds[1]), "gate")
	defer func() { _ = theirs.Close() }()
	g := &opening{
		Cmd:   exec.Command(self, append([]string{early.GateCommand, strconv.Itoa(fds[0]), r.path}, r.args...)...), //nolint:gosec // our own executable
		pipe:  ours,
		ended: make(chan struct{}),
	}
	g.Args[0] = name
	g.Stdin, g.Stdout, g.Stderr = r.In, r.Out, r.Err
	if err := g.Start(); err != nil {
		_ = ours.Close()
		return nil, err
	}
	go func() {
		defer close(g.ended)
		_ = g.Wait()
	}()
	return g, nil
}

// open lets the command begin.
func (g *opening) open(token string) error {
	defer func() { _ = g.pipe.Close() }()
	_, err := g.pipe.WriteString(run.EnvRun + "=" + token + "\n")
	return err
}

// abandon ends a process that has not become the command.
func (g *opening) abandon() {
	_ = g.pipe.Close()
	_ = g.Process.Kill()
	<-g.ended
}

// stoppedBy is the signal that asked the command to end, and did end it; nil if none.
func (g *opening) stoppedBy() os.Signal {
	if status, ok := g.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() && stops(status.Signal()) {
		return status.Signal()
	}
	return nil
}

// code is the exit code of the command that has ended.
func (g *opening) code() int {
	if status, ok := g.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return exitSignal + int(status.Signal())
	}
	return g.ProcessState.ExitCode()
}
