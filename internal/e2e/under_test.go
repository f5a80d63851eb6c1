// SPDX-License-Identifier: MPL-2.0

//go:build unix

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/shirou/gopsutil/v4/process"

	"github.com/clocker/terraform-provider-clocker/internal/testkit"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// newUnder is a workspace for `run`, whose environment names the space.
func newUnder(t *testing.T, space *zktest.Space, config ...string) *workspace {
	t.Helper()
	w := newWorkspace(t, config...)
	w.Setenv("CLOCKER_ZOOKEEPER", space.ConnectString())
	w.Setenv("CLOCKER_SESSION_TIMEOUT", strconv.Itoa(sessionTimeout))
	return w
}

// under is `run` with arguments.
func (w *workspace) under(args ...string) *exec.Cmd {
	return exec.Command(w.Program, append([]string{"run"}, args...)...)
}

// startUnder runs a command under the lock e2e.
func (w *workspace) startUnder(command ...string) *testkit.Command {
	w.T.Helper()
	return w.StartCommand(w.under(append([]string{"--lockid", "e2e", "--"}, command...)...))
}

// startShell runs a shell command under the lock e2e.
func (w *workspace) startShell(script string) *testkit.Command {
	w.T.Helper()
	return w.startUnder("sh", "-c", script)
}

// counting is a command that writes a line for each signal that it gets, and goes on
// until the test lets it end.
type counting struct {
	*testkit.Gate
	t            *testing.T
	pid, signals string // files
}

func newCounting(t *testing.T) *counting {
	t.Helper()
	dir := t.TempDir()
	return &counting{testkit.NewGate(t), t, filepath.Join(dir, "pid"), filepath.Join(dir, "signals")}
}

// script is the shell command.
func (c *counting) script() string {
	var traps strings.Builder
	for _, name := range []string{"INT", "TERM", "HUP"} {
		fmt.Fprintf(&traps, "trap 'echo %s >>%q' %[1]s; ", name, c.signals)
	}
	return traps.String() + fmt.Sprintf("echo $$ >%q; until %s; do :; done", c.pid, c.Work())
}

// file has the script.
func (c *counting) file() string {
	file := filepath.Join(filepath.Dir(c.pid), "script")
	write(c.t, file, c.script())
	return file
}

// got are the signals, in their order.
func (c *counting) got() string {
	text, _ := os.ReadFile(c.signals)
	return strings.Join(strings.Fields(string(text)), " ")
}

// process is the command's process.
func (c *counting) process() *os.Process {
	c.t.Helper()
	c.AwaitBegun()
	text, err := os.ReadFile(c.pid)
	if err != nil {
		c.t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		c.t.Fatal(err)
	}
	p, err := os.FindProcess(pid)
	if err != nil {
		c.t.Fatal(err)
	}
	return p
}

// awaitListener waits until `run` can tell what is sent to all from what is sent to it.
func (w *workspace) awaitListener() *process.Process {
	w.T.Helper()
	testkit.Eventually(w.T, "the listener", func() bool { return len(w.Processes()["listen"]) == 1 })
	return w.Processes()["listen"][0]
}

// The lock is held while the command works, and is free when it has ended. Another one
// waits for it, or is told who holds it.
func TestUnderALock(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	gate, second := testkit.NewGate(t), testkit.NewGate(t)
	w := newUnder(t, space)
	first := w.startShell(gate.Work() + "; exit 7")
	gate.AwaitBegun()
	held := space.WaitChildren(lockDir, 1)

	refused := w.startUnder("true")
	if code := refused.Wait(); code != 75 {
		t.Errorf("exit code %d of who does not get the lock, want 75", code)
	}
	for _, want := range []string{"Lock Is Held", "(--lockid)", held[0], "the command was not started"} {
		if !strings.Contains(refused.Stderr(), want) {
			t.Errorf("%q is not in %q", want, refused.Stderr())
		}
	}
	waiting := w.StartCommand(w.under("--lockid", "e2e", "--lockwait", "-1", "--", "sh", "-c", second.Work()))
	space.WaitChildren(lockDir, 2)
	if second.HasBegun() {
		t.Error("both work at the same time")
	}
	gate.End()
	if code := first.Wait(); code != 7 {
		t.Errorf("exit code %d, want the command's, 7", code)
	}
	second.AwaitBegun()
	second.End()
	waiting.Succeed()
	space.WaitGone(lockDir)
	w.AwaitNoProcess()
}

// Several locks are taken in their order, and none is left if one is not had.
func TestUnderSeveralLocks(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	gate := testkit.NewGate(t)
	w := newUnder(t, space)
	first := w.StartCommand(w.under("--lockid", "a", "--lockid", "e2e", "--", "sh", "-c", gate.Work()))
	gate.AwaitBegun()
	space.WaitChildren(lockDir, 1)
	space.WaitChildren("/_zklocking/a", 1)
	second := w.StartCommand(w.under("--lockid", "b", "--lockid", "a", "--lockid", "c", "--", "true"))
	if code := second.Wait(); code != 75 {
		t.Errorf("exit code %d, want 75", code)
	}
	for _, lock := range []string{"b", "c"} {
		if space.Exists("/_zklocking/" + lock) {
			t.Errorf("the lock %s is there", lock)
		}
	}
	gate.End()
	first.Succeed()
	space.WaitGone(lockDir)
	space.WaitGone("/_zklocking/a")
	w.AwaitNoProcess()
}

func TestUnderExitCodes(t *testing.T) {
	t.Parallel()
	w := newUnder(t, zktest.NewSpace(t))
	noProgram, script := filepath.Join(w.Dir, "no-program"), filepath.Join(w.Dir, "script")
	write(t, noProgram, "")
	write(t, script, "exit 9\n")
	if err := os.Chmod(script, 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		args   []string
		env    string
		code   int
		stderr string
	}{
		"good":                 {args: []string{"--lockid", "x", "--", "true"}},
		"without dashes":       {args: []string{"--lockid", "x", "true"}},
		"the command's":        {args: []string{"--lockid", "x", "--", "sh", "-c", "exit 3"}, code: 3},
		"a signal's":           {args: []string{"--lockid", "x", "--", "sh", "-c", "kill -TERM $$"}, code: 143},
		"a bare script":        {args: []string{"--lockid", "x", "--", script}, code: 9},
		"not found":            {args: []string{"--lockid", "x", "--", "no-such-program"}, code: 127, stderr: "no-such-program"},
		"no such file":         {args: []string{"--lockid", "x", "--", "./no-such-program"}, code: 127, stderr: "no-such-program"},
		"not a program":        {args: []string{"--lockid", "x", "--", noProgram}, code: 126, stderr: noProgram},
		"no command":           {args: []string{"--lockid", "x", "--"}, code: 64, stderr: "no command"},
		"no lock":              {args: []string{"--", "true"}, code: 64, stderr: "--lockid"},
		"a bad lockid":         {args: []string{"--lockid", "..", "--", "true"}, code: 64, stderr: "(--lockid)"},
		"a bad lockwait":       {args: []string{"--lockid", "x", "--lockwait", "-2", "--", "true"}, code: 64, stderr: "(--lockwait)"},
		"no number":            {args: []string{"--lockid", "x", "--lockwait", "1m", "--", "true"}, code: 64, stderr: "whole number"},
		"a bad mode":           {args: []string{"--lockid", "x", "--mode", "both", "--", "true"}, code: 64, stderr: "(--mode)"},
		"mode and slots":       {args: []string{"--lockid", "x", "--mode", "shared", "--slots", "2", "--", "true"}, code: 64, stderr: "(--slots)"},
		"no slots":             {args: []string{"--lockid", "x", "--slots", "0", "--", "true"}, code: 64, stderr: "(--slots)"},
		"a bad on-lost":        {args: []string{"--lockid", "x", "--on-lost", "panic", "--", "true"}, code: 64, stderr: "(--on-lost)"},
		"a bad connect string": {args: []string{"--lockid", "x", "--zookeeper", "a:b", "--", "true"}, code: 64, stderr: "(--zookeeper)"},
		"a bad variable":       {args: []string{"--lockid", "x", "--", "true"}, env: "CLOCKER_SESSION_TIMEOUT=x", code: 64, stderr: "CLOCKER_SESSION_TIMEOUT"},
		"nobody there":         {args: []string{"--lockid", "x", "--zookeeper", "127.0.0.1:1", "--", "true"}, env: "CLOCKER_CONNECT_TIMEOUT=1", code: 75, stderr: "127.0.0.1:1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			space := zktest.NewSpace(t) // of its own, as others take the same lock
			t.Cleanup(func() { space.WaitGone("/_zklocking/x") })
			w := newUnder(t, space)
			if tc.env != "" {
				w.Env = append(w.Env, tc.env)
			}
			c := w.StartCommand(w.under(tc.args...))
			if code := c.Wait(); code != tc.code {
				t.Errorf("exit code %d, want %d", code, tc.code)
			}
			if !strings.Contains(c.Stderr(), tc.stderr) || (tc.stderr == "") != (c.Stderr() == "") {
				t.Errorf("printed %q, want %q", c.Stderr(), tc.stderr)
			}
			w.AwaitNoProcess()
		})
	}
}

// The command has the standard input, the arguments and the descriptors of who started
// `run`.
func TestUnderStandardInput(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	w := newUnder(t, space)
	cmd := w.under("--lockid", "e2e", "--", "sh", "-c", `read -r line; echo "$line $0 $*"; echo three >&3; echo $CLOCKER_RUN`, "a b", "-c", "")
	cmd.Stdin = strings.NewReader("one two\n")
	c := w.StartCommand(cmd)
	c.Succeed()
	lines := strings.Split(c.Stdout(), "\n")
	if lines[0] != "one two a b -c " || c.Descriptor3() != "three\n" {
		t.Errorf("printed %q, and on descriptor 3 %q", lines, c.Descriptor3())
	}
	if pid, id, _ := strings.Cut(lines[1], "-"); pid == "" || len(id) != 16 {
		t.Errorf("the run is %q", lines[1])
	}
}
