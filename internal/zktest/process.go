package zktest

import (
	"context"
	"fmt"
	"os"
	"time"
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
