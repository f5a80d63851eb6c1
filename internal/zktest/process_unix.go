// SPDX-License-Identifier: MPL-2.0

//go:build unix

package zktest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"github.com/shirou/gopsutil/v4/process"
)

// watchdog replaces its shell by the server and leaves a subshell behind that
// kills the server should the pipe on descriptor 3 end without a line: the test
// process holds the other end, so the server dies with it, however it dies.
//
// Linux's Pdeathsig would do that too, but is bound to the *thread* that forked,
// which the Go runtime ends as it pleases, and macOS has nothing like it. $$ is
// the first shell's process id in the subshell as well, and the server's from
// exec on. The line is for an orderly end, when that id may be another's already.
const watchdog = `(exec 0<&3 3<&- >/dev/null 2>&1; read -r _ || kill -9 $$) & exec "$@" 3<&- </dev/null`

// start runs name with its output appended to log, and reaps it in the
// background: exited is closed once it is gone.
func start(log *os.File, name string, args ...string) (*child, error) {
	lifeline, ours, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer func() { _ = lifeline.Close() }()

	// No context: the server outlives the one that bounds its start.
	cmd := exec.Command("/bin/sh", append([]string{"-c", watchdog, "sh", name}, args...)...) //nolint:gosec // Runs what it is asked to.
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{lifeline}
	if err := cmd.Start(); err != nil {
		_ = ours.Close()
		return nil, err
	}
	c := &child{process: cmd.Process, exited: make(chan struct{})}
	go func() {
		defer close(c.exited)
		c.err = cmd.Wait()
		_, _ = ours.WriteString("done\n")
		_ = ours.Close()
	}()
	return c, nil
}

// pause returns once the process is stopped.
func (c *child) pause(ctx context.Context) error {
	if err := c.process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	return poll(ctx, func() error {
		p, err := process.NewProcessWithContext(ctx, int32(c.process.Pid)) //nolint:gosec // Process ids fit.
		if err != nil {
			return err
		}
		status, err := p.StatusWithContext(ctx)
		if err != nil {
			return err
		}
		if len(status) != 1 || status[0] != process.Stop {
			return fmt.Errorf("process %d is still %v", p.Pid, status)
		}
		return nil
	})
}

func (c *child) resume() error {
	return c.process.Signal(syscall.SIGCONT)
}
