// SPDX-License-Identifier: MPL-2.0

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

// gateProcess is the process of the command, which begins as a gate.
type gateProcess struct {
	*exec.Cmd
	pipe  *os.File
	ended chan struct{} // closed when the process has ended
}

// startGate starts the process that will be the command.
func (r *running) startGate() (*gateProcess, error) {
	self, err := holder.Executable()
	if err != nil {
		return nil, err
	}
	var fds [2]int
	if err := unix.Pipe(fds[:]); err != nil {
		return nil, fmt.Errorf("pipe: %w", err)
	}
	// The child gets one end only. As one of ExtraFiles that could take the place of a
	// descriptor that the command should inherit from our parent process.
	unix.CloseOnExec(fds[1])
	theirs, ours := os.NewFile(uintptr(fds[0]), "gate"), os.NewFile(uintptr(fds[1]), "gate")
	defer func() { _ = theirs.Close() }()
	g := &gateProcess{
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
func (g *gateProcess) open(token string) error {
	defer func() { _ = g.pipe.Close() }()
	_, err := g.pipe.WriteString(run.EnvRun + "=" + token + "\n")
	return err
}

// abandon ends the process before it has become the command.
func (g *gateProcess) abandon() {
	_ = g.pipe.Close()
	_ = g.Process.Kill()
	<-g.ended
}

// stoppedBy is the signal that asked the command to end, and ended it. It is nil if none
// did.
func (g *gateProcess) stoppedBy() os.Signal {
	if status, ok := g.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() && stops(status.Signal()) {
		return status.Signal()
	}
	return nil
}

// code is the exit code of the command that has ended.
func (g *gateProcess) code() int {
	if status, ok := g.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return exitSignal + int(status.Signal())
	}
	return g.ProcessState.ExitCode()
}
