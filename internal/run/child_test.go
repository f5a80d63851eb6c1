// SPDX-License-Identifier: MPL-2.0

package run

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"
)

// deadline bounds every wait of a test for an event.
const deadline = 20 * time.Second

// helper is this test binary as the helper of that name.
func helper(name string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), helperEnv+"="+name)
	cmd.Stderr = os.Stderr
	return cmd
}

// child is a running helper.
type child struct {
	*exec.Cmd
	t      *testing.T
	in     *os.File
	out    *os.File
	lines  *bufio.Reader
	reaped bool
}

// start starts a helper, which is gone when the test ends.
func start(t *testing.T, cmd *exec.Cmd) *child {
	t.Helper()
	in, toChild := pipe(t)
	fromChild, out := pipe(t)
	cmd.Stdin, cmd.Stdout = in, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = in.Close()
	_ = out.Close()
	if runtime.GOOS != "windows" { // has no deadlines for pipes
		if err := fromChild.SetReadDeadline(time.Now().Add(deadline)); err != nil {
			t.Fatal(err)
		}
	}
	c := &child{Cmd: cmd, t: t, in: toChild, out: fromChild, lines: bufio.NewReader(fromChild)}
	t.Cleanup(func() {
		_ = c.in.Close()
		c.kill()
		c.reap()
		// Ends only when the helper's own children have ended too.
		if _, err := io.Copy(io.Discard, c.lines); err != nil {
			t.Error("a process is left:", err)
		}
	})
	return c
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close(); _ = w.Close() })
	return r, w
}

// line returns the next line the child prints.
func (c *child) line() string {
	c.t.Helper()
	line, err := c.lines.ReadString('\n')
	if err != nil {
		c.t.Fatal("reading a line of the child:", err)
	}
	return line[:len(line)-1]
}

// expect fails the test unless the child's next line is this one.
func (c *child) expect(want string) {
	c.t.Helper()
	if got := c.line(); got != want {
		c.t.Fatalf("the child printed %q, want %q", got, want)
	}
}

func (c *child) run() Run {
	c.t.Helper()
	r, err := Of(c.Process.Pid)
	if err != nil {
		c.t.Fatal(err)
	}
	return r
}

func (c *child) kill() {
	_ = c.Process.Kill()
}

func (c *child) reap() {
	if !c.reaped {
		_ = c.Wait()
		c.reaped = true
	}
}

// waiting calls r.Wait in the background; the function returned tells how it ended.
func waiting(t *testing.T, r Run) func() error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	t.Cleanup(cancel)
	result := make(chan error, 1)
	go func() { result <- r.Wait(ctx) }()
	return func() error { return <-result }
}

func requireAlive(t *testing.T, r Run, want bool) {
	t.Helper()
	alive, err := r.Alive()
	if err != nil {
		t.Fatal(err)
	}
	if alive != want {
		t.Fatalf("Alive() = %t, want %t", alive, want)
	}
}

func requireErrEnded(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, ErrEnded) {
		t.Fatalf("error %v, want ErrEnded", err)
	}
}

// tester and itself are the pids of this process and of the child.
func (*child) tester() int   { return os.Getpid() }
func (c *child) itself() int { return c.Process.Pid }
