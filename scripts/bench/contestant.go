// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bufio"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
)

//go:embed kazoo.py
var kazooProgram string

// kazooDir is where that has its locks.
const kazooDir = benchRoot + "/kazoo/"

// contestant is a worker process from the outside.
type contestant struct {
	name  string // for people
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines *bufio.Reader
}

func startContestant(cmd *exec.Cmd, name string) (*contestant, error) {
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &contestant{name, cmd, stdin, bufio.NewReader(stdout)}, nil
}

// do has the worker do something, and reads what that gave.
func (c *contestant) do(result any, command, server, lock string, n int) error {
	if _, err := fmt.Fprintln(c.stdin, command, server, lock, n); err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	line, err := c.lines.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, result)
	}
	if err != nil {
		return fmt.Errorf("%s: %s: %w", c.name, command, err)
	}
	return nil
}

// close ends the worker in its own time.
func (c *contestant) close() {
	_ = c.stdin.Close()
	_ = c.cmd.Wait()
}
