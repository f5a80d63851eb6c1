package zktest

import (
	"context"
	"fmt"
	"os"
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
