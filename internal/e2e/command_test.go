//go:build unix

package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// command is a running or ended process: the command line, or a shell around it.
// It is a process group of its own, as a job of a shell is.
type command struct {
	*exec.Cmd
	t       *testing.T
	outputs []*output     // standard output, standard error, and descriptor 3
	exited  chan struct{} // closed when the process has ended
	ended   time.Time     // valid then
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

// start starts the command line with the arguments, in the workspace.
func (w *workspace) start(args ...string) *command {
	w.t.Helper()
	return w.startCommand(exec.Command(w.cli, args...))
}

// startCommand starts cmd in the workspace. Beside its output it has a pipe on
// descriptor 3, which Terraform passes on to the provider without knowing.
func (w *workspace) startCommand(cmd *exec.Cmd) *command {
	w.t.Helper()
	c := &command{Cmd: cmd, t: w.t, exited: make(chan struct{})}
	cmd.Dir, cmd.Env = w.dir, w.env
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	}
	var writers []*os.File
	for _, name := range []string{"standard output", "standard error", "descriptor 3"} {
		r, writer, err := os.Pipe()
		if err != nil {
			w.t.Fatal(err)
		}
		writers = append(writers, writer)
		o := &output{name: name, eof: make(chan struct{})}
		c.outputs = append(c.outputs, o)
		go func() {
			defer close(o.eof)
			defer func() { _ = r.Close() }()
			_, _ = io.Copy(o, r)
		}()
	}
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = writers[0], writers[1], append(writers[2:3:3], cmd.ExtraFiles...)
	err := cmd.Start()
	for _, writer := range writers {
		_ = writer.Close()
	}
	if err != nil {
		w.t.Fatal(err)
	}
	go func() {
		defer close(c.exited)
		_ = cmd.Wait()
		c.ended = time.Now()
	}()
	w.t.Cleanup(func() {
		if w.t.Failed() {
			w.t.Logf("%v:\n%s%s", cmd.Args, c.stdout(), c.stderr())
		}
		if c.running() {
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			<-c.exited
		}
	})
	return c
}

func (c *command) stdout() string { return c.outputs[0].String() }
func (c *command) stderr() string { return c.outputs[1].String() }

// decode reads the output of an ended command as one JSON value.
func (c *command) decode(value any) {
	c.t.Helper()
	if err := json.Unmarshal([]byte(c.stdout()), value); err != nil {
		c.t.Fatalf("%v: %v", c.Args, err)
	}
}

func (c *command) running() bool {
	select {
	case <-c.exited:
		return false
	default:
		return true
	}
}

// wait waits for the end of the process and of all that it wrote, and returns
// its exit code, -1 if a signal ended it.
func (c *command) wait() int {
	c.t.Helper()
	await(c.t, fmt.Sprintf("the end of %v", c.Args), c.exited)
	for _, o := range c.outputs {
		await(c.t, fmt.Sprintf("the end of the %s of %v, which has exited", o.name, c.Args), o.eof)
	}
	return c.ProcessState.ExitCode()
}

// succeed waits for the end, which must be a good one.
func (c *command) succeed() {
	c.t.Helper()
	if code := c.wait(); code != 0 {
		c.t.Fatalf("%v: exit code %d", c.Args, code)
	}
}

// fail waits for the end, which must not be a good one, nor a signal's.
func (c *command) fail() {
	c.t.Helper()
	if code := c.wait(); code <= 0 {
		c.t.Fatalf("%v: exit code %d, want a failure", c.Args, code)
	}
}

// kill ends the process by SIGKILL, and none of its children.
func (c *command) kill() {
	c.t.Helper()
	if err := c.Process.Kill(); err != nil {
		c.t.Fatal(err)
	}
	await(c.t, "the end of a killed process", c.exited)
}

// signal sends a signal to the process alone.
func (c *command) signal(s os.Signal) {
	c.t.Helper()
	if err := c.Process.Signal(s); err != nil {
		c.t.Fatal(err)
	}
}

func (c *command) interrupt() {
	c.t.Helper()
	c.signal(os.Interrupt)
}

// interruptGroup sends SIGINT to the whole process group, as a terminal does.
func (c *command) interruptGroup() {
	c.t.Helper()
	if err := syscall.Kill(-c.Process.Pid, syscall.SIGINT); err != nil {
		c.t.Fatal(err)
	}
}

// diagnostic is an error or a warning, as -json tells it.
type diagnostic struct {
	Severity string `json:"severity"`
	Summary  string `json:"summary"`
	Detail   string `json:"detail"`
	Address  string `json:"address"`
	Snippet  struct {
		Context string `json:"context"`
		Code    string `json:"code"`
		Line    int    `json:"start_line"`
	} `json:"snippet"`
}

func (d diagnostic) String() string {
	return fmt.Sprintf("%s: %s\nin %s %q %q\n%s", d.Severity, d.Summary, d.Address, d.Snippet.Context, d.Snippet.Code, d.Detail)
}

// diagnostics are those of an ended command that was run with -json.
func (c *command) diagnostics() []diagnostic {
	c.t.Helper()
	var all []diagnostic
	decoder := json.NewDecoder(strings.NewReader(c.stdout()))
	for {
		// apply and plan write a message a line, validate a single object.
		var message struct {
			Diagnostic  *diagnostic  `json:"diagnostic"`
			Diagnostics []diagnostic `json:"diagnostics"`
		}
		err := decoder.Decode(&message)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			c.t.Fatalf("%v: %v in:\n%s", c.Args, err, c.stdout())
		}
		if message.Diagnostic != nil {
			all = append(all, *message.Diagnostic)
		}
		all = append(all, message.Diagnostics...)
	}
}

// err is the only error among the diagnostics, beside Terraform's own about an
// interrupt.
func (c *command) err() diagnostic {
	c.t.Helper()
	var errs []diagnostic
	for _, d := range c.diagnostics() {
		if d.Severity == "error" && d.Summary != "execution halted" {
			errs = append(errs, d)
		}
	}
	if len(errs) != 1 {
		c.t.Fatalf("%v: %d errors, want one: %v", c.Args, len(errs), errs)
	}
	return errs[0]
}

// apply starts an apply without questions.
func (w *workspace) apply(args ...string) *command {
	w.t.Helper()
	return w.start(append([]string{"apply", "-json", "-auto-approve", "-input=false"}, args...)...)
}

// plan makes a plan file and returns what it wants to do with a resource.
func (w *workspace) plan(address string, args ...string) change {
	w.t.Helper()
	w.start(append([]string{"plan", "-json", "-input=false", "-out=" + planFile}, args...)...).succeed()
	show := w.start("show", "-json", planFile)
	show.succeed()
	var plan struct {
		ResourceChanges []struct {
			Address string `json:"address"`
			Change  change `json:"change"`
		} `json:"resource_changes"`
	}
	show.decode(&plan)
	for _, c := range plan.ResourceChanges {
		if c.Address == address {
			return c.Change
		}
	}
	w.t.Fatalf("the plan does not know %s", address)
	return change{}
}

// planFile is the name of the plan that plan makes.
const planFile = "made.tfplan"

// change is what a plan wants to do with a resource.
type change struct {
	Actions []string       `json:"actions"`
	Before  map[string]any `json:"before"`
	After   map[string]any `json:"after"`
}
