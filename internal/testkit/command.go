// SPDX-License-Identifier: MPL-2.0

//go:build unix

package testkit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Command is a running or ended process: the command line, or a shell around it.
// It is a process group of its own, as a job of a shell is.
type Command struct {
	Cmd    *exec.Cmd
	Exited chan struct{} // closed when the process has ended
	Ended  time.Time     // valid then

	t       *testing.T
	outputs []*output // standard output, standard error, and descriptor 3
}

// output is what comes out of a pipe.
type output struct {
	name string
	eof  chan struct{} // closed when nobody can write any more

	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// Start starts the command line with the arguments, in the workspace.
func (r *Rig) Start(args ...string) *Command {
	r.T.Helper()
	return r.StartCommand(r.Command(context.Background(), args...))
}

// StartCommand starts cmd in the workspace. Beside its output it has a pipe on
// descriptor 3, which Terraform passes on to the provider without knowing.
func (r *Rig) StartCommand(cmd *exec.Cmd) *Command {
	r.T.Helper()
	c := &Command{Cmd: cmd, t: r.T, Exited: make(chan struct{})}
	cmd.Dir, cmd.Env = r.Dir, r.Env
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	}
	var writers []*os.File
	for _, name := range []string{"standard output", "standard error", "descriptor 3"} {
		reader, writer, err := os.Pipe()
		if err != nil {
			r.T.Fatal(err)
		}
		writers = append(writers, writer)
		o := &output{name: name, eof: make(chan struct{})}
		c.outputs = append(c.outputs, o)
		go func() {
			defer close(o.eof)
			defer func() { _ = reader.Close() }()
			_, _ = io.Copy(o, reader)
		}()
	}
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = writers[0], writers[1], append(writers[2:3:3], cmd.ExtraFiles...)
	err := cmd.Start()
	for _, writer := range writers {
		_ = writer.Close()
	}
	if err != nil {
		r.T.Fatal(err)
	}
	go func() {
		defer close(c.Exited)
		_ = cmd.Wait()
		c.Ended = time.Now()
	}()
	r.T.Cleanup(func() {
		if r.T.Failed() {
			r.T.Logf("%v:\n%s%s", cmd.Args, c.Stdout(), c.Stderr())
		}
		if c.Running() {
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			<-c.Exited
		}
	})
	return c
}

// Stdout is what it has printed so far.
func (c *Command) Stdout() string { return c.outputs[0].String() }

// Stderr is what it has printed so far on standard error.
func (c *Command) Stderr() string { return c.outputs[1].String() }

// Descriptor3 is what was written to descriptor 3 so far.
func (c *Command) Descriptor3() string { return c.outputs[2].String() }

// Pid is that of the process.
func (c *Command) Pid() int { return c.Cmd.Process.Pid }

// Decode reads the output of an ended command as one JSON value.
func (c *Command) Decode(value any) {
	c.t.Helper()
	if err := json.Unmarshal([]byte(c.Stdout()), value); err != nil {
		c.t.Fatalf("%v: %v", c.Cmd.Args, err)
	}
}

// Running tells whether the process has yet to end.
func (c *Command) Running() bool {
	select {
	case <-c.Exited:
		return false
	default:
		return true
	}
}

// Wait waits for the end of the process and of all that it wrote, and returns
// its exit code, -1 if a signal ended it.
func (c *Command) Wait() int {
	c.t.Helper()
	Await(c.t, fmt.Sprintf("the end of %v", c.Cmd.Args), c.Exited)
	for _, o := range c.outputs {
		Await(c.t, fmt.Sprintf("the end of the %s of %v, which has exited", o.name, c.Cmd.Args), o.eof)
	}
	return c.Cmd.ProcessState.ExitCode()
}

// Succeed waits for the end, which must be a good one.
func (c *Command) Succeed() {
	c.t.Helper()
	if code := c.Wait(); code != 0 {
		c.t.Fatalf("%v: exit code %d", c.Cmd.Args, code)
	}
}

// Fail waits for the end, which must not be a good one, nor a signal's.
func (c *Command) Fail() {
	c.t.Helper()
	if code := c.Wait(); code <= 0 {
		c.t.Fatalf("%v: exit code %d, want a failure", c.Cmd.Args, code)
	}
}

// Kill ends the process by SIGKILL, and none of its children.
func (c *Command) Kill() {
	c.t.Helper()
	if err := c.Cmd.Process.Kill(); err != nil {
		c.t.Fatal(err)
	}
	Await(c.t, "the end of a killed process", c.Exited)
}

// Signal sends a signal to the process alone.
func (c *Command) Signal(s os.Signal) {
	c.t.Helper()
	if err := c.Cmd.Process.Signal(s); err != nil {
		c.t.Fatal(err)
	}
}

// Interrupt sends SIGINT to the process alone.
func (c *Command) Interrupt() {
	c.t.Helper()
	c.Signal(os.Interrupt)
}

// InterruptGroup sends SIGINT to the whole process group, as a terminal does.
func (c *Command) InterruptGroup() {
	c.t.Helper()
	if err := syscall.Kill(-c.Pid(), syscall.SIGINT); err != nil {
		c.t.Fatal(err)
	}
}

// Over waits for the end of the process, and not of what it has started, which may still
// write. It returns when that was.
func (c *Command) Over() time.Time {
	c.t.Helper()
	Await(c.t, fmt.Sprintf("the end of %v", c.Cmd.Args), c.Exited)
	return c.Ended
}
