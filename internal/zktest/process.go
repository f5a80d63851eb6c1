// SPDX-License-Identifier: MPL-2.0

package zktest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/shirou/gopsutil/v4/process"
)

// child is a running or ended child process.
type child struct {
	process *os.Process
	exited  chan struct{} // closed once it is reaped
	err     error         // how it ended; valid once exited is closed
}

// kill ends the process by SIGKILL and returns once it is reaped.
func (c *child) kill() {
	// An error says that it has ended before, or is ending.
	_ = c.process.Kill()
	<-c.exited
}

func (c *child) running() bool {
	select {
	case <-c.exited:
		return false
	default:
		return true
	}
}

// Executable is the path of the program that a process runs, "" if that is not known. Of
// processes that hide their memory, as a run's holder does, only root is told; then it is
// the name by which the process was started.
func Executable(pid int32) string {
	p := &process.Process{Pid: pid} // process.New would look at much more
	exe, err := p.Exe()
	if err != nil {
		args, err := p.CmdlineSlice()
		if err != nil || len(args) == 0 {
			return ""
		}
		exe = args[0]
	}
	return strings.TrimSuffix(exe, " (deleted)")
}

// Running are the processes whose program is in a directory or below it.
func Running(dir string) ([]*process.Process, error) {
	dir, err := filepath.EvalSymlinks(dir) // as the system tells it
	if err != nil {
		return nil, err
	}
	all, err := process.Pids()
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var found []*process.Process
	for _, pid := range all {
		if !strings.HasPrefix(Executable(pid), dir+string(filepath.Separator)) {
			continue
		}
		if p, err := process.NewProcess(pid); err == nil { // else it has just ended
			found = append(found, p)
		}
	}
	return found, nil
}

// AwaitNoneRunning waits until no process runs a program in a directory or below it. Past
// ctx, the error names those that do.
func AwaitNoneRunning(ctx context.Context, dir string) error {
	return poll(ctx, func() error {
		found, err := Running(dir)
		if err != nil || len(found) == 0 {
			return err
		}
		return errors.New(names(found))
	})
}

// names says which processes these are.
func names(processes []*process.Process) string {
	var all []string
	for _, p := range processes {
		line, _ := p.Cmdline() // Empty for a zombie, which is left as well.
		all = append(all, fmt.Sprintf("%d %s", p.Pid, line))
	}
	return strings.Join(all, "; ")
}

// poll calls try until it returns nil, every few milliseconds. Past ctx its error
// wraps the last one of try and the cause of ctx's end.
func poll(ctx context.Context, try func() error) error {
	const interval = 20 * time.Millisecond
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		case <-ticker.C:
		}
	}
}
