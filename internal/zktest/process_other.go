// SPDX-License-Identifier: MPL-2.0

//go:build !unix

package zktest

import (
	"context"
	"errors"
	"os"
	"os/exec"
)

// start runs name with its output appended to log, and reaps it in the
// background: exited is closed once it is gone. Here it does not die with the
// test process.
func start(log *os.File, name string, args ...string) (*child, error) {
	cmd := exec.Command(name, args...) //nolint:gosec // Runs what it is asked to.
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := &child{process: cmd.Process, exited: make(chan struct{})}
	go func() {
		defer close(c.exited)
		c.err = cmd.Wait()
	}()
	return c, nil
}

func (c *child) pause(context.Context) error { return errors.ErrUnsupported }

func (c *child) resume() error { return errors.ErrUnsupported }
