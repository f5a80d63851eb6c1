// SPDX-License-Identifier: MPL-2.0

package testkit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/shirou/gopsutil/v4/process"
	"go.uber.org/goleak"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// Main is for TestMain: zktest.Main, which deletes the provider that was built, too.
func Main(m *testing.M, options ...goleak.Option) {
	code := zktest.Run(m, options...)
	_ = os.RemoveAll(build.dir)
	os.Exit(code)
}

// build is what the tests of this binary share: a directory, and the programs in it.
var build struct {
	sync.Mutex
	dir      string
	programs map[bool]string // by whether they look for data races
}

// program builds the provider once.
func program(ctx context.Context, race bool) (string, error) {
	build.Lock()
	defer build.Unlock()
	if path := build.programs[race]; path != "" {
		return path, nil
	}
	if build.dir == "" {
		dir, err := os.MkdirTemp("", "clocker-testkit-")
		if err != nil {
			return "", err
		}
		build.dir, build.programs = dir, map[bool]string{}
	}
	path, err := Build(ctx, filepath.Join(build.dir, fmt.Sprint("race-", race)), "-race="+fmt.Sprint(race))
	if err == nil {
		build.programs[race] = path
	}
	return path, err
}

// theCLI is the one to test with.
var theCLI = sync.OnceValues(func() (CLI, error) { return FindCLI(context.Background()) })

// Rig is a Workspace in a test.
type Rig struct {
	*Workspace
	T *testing.T

	top string
}

// New makes a Rig. It skips the test where there is no CLI. The end of the test fails it
// if a process is left.
func New(t *testing.T) *Rig { return newRig(t, false) }

// NewRace is New with a provider that looks for data races if the tests do. It takes
// several times as much of the processor.
func NewRace(t *testing.T) *Rig { return newRig(t, raceEnabled) }

func newRig(t *testing.T, race bool) *Rig {
	t.Helper()
	cli := Needs(t, Versions{})
	provider, err := program(t.Context(), race)
	if err != nil {
		t.Fatal(err)
	}
	top := t.TempDir()
	w, err := NewWorkspace(cli, top, provider)
	if err != nil {
		t.Fatal(err)
	}
	w.Env = append(w.Env, "GORACE=atexit_sleep_ms=0 log_path="+filepath.Join(top, "race"), zktest.MarkProcesses(t))
	r := &Rig{Workspace: w, T: t, top: top}
	t.Cleanup(r.checkRaces) // after all processes have ended
	t.Cleanup(r.checkProcesses)
	return r
}

// Setenv adds to the environment of the commands.
func (r *Rig) Setenv(name, value string) { r.Env = append(r.Env, name+"="+value) }

// Write writes a file of the workspace. A script can be executed.
func (r *Rig) Write(name, text string) {
	r.T.Helper()
	mode := os.FileMode(0o600)
	if strings.HasPrefix(text, "#!") {
		mode = 0o700
	}
	if err := os.WriteFile(filepath.Join(r.Dir, name), []byte(text), mode); err != nil {
		r.T.Fatal(err)
	}
}

// Run runs a command in the workspace, and returns what it printed and its exit code.
func (r *Rig) Run(name string, args ...string) (output string, code int) {
	r.T.Helper()
	cmd := exec.CommandContext(r.T.Context(), name, args...) //nolint:gosec // the test's own command
	cmd.Dir, cmd.Env = r.Dir, r.Env
	combined, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		r.T.Fatal(err)
	}
	return string(combined), cmd.ProcessState.ExitCode()
}

// Processes are those of the Workspace.
func (r *Rig) Processes() map[string][]*process.Process {
	r.T.Helper()
	found, err := r.Workspace.Processes()
	if err != nil {
		r.T.Fatal(err)
	}
	return found
}

// Provider is the provider process, of which there must be one.
func (r *Rig) Provider() *process.Process {
	r.T.Helper()
	return r.Only("")
}

// Holder is the holder process, of which there must be one.
func (r *Rig) Holder() *process.Process {
	r.T.Helper()
	return r.Only("hold")
}

// Only is the process with these arguments, of which there must be one.
func (r *Rig) Only(arguments string) *process.Process {
	r.T.Helper()
	found := r.Processes()[arguments]
	if len(found) != 1 {
		r.T.Fatalf("%d processes with the arguments %q, want one: %v", len(found), arguments, found)
	}
	return found[0]
}

// AwaitNoProvider waits until the provider processes have ended, as they do while the
// guarded work still goes on.
func (r *Rig) AwaitNoProvider() {
	r.T.Helper()
	Eventually(r.T, "the end of the provider processes", func() bool { return len(r.Processes()[""]) == 0 })
}

// AwaitNoProcess waits until the holders and sentinels have ended as well.
func (r *Rig) AwaitNoProcess() {
	r.T.Helper()
	Eventually(r.T, "the end of the provider, holder and sentinel processes", func() bool { return len(r.Processes()) == 0 })
}

// checkProcesses fails the test if any of them is left, and kills it.
func (r *Rig) checkProcesses() {
	r.T.Helper()
	defer func() {
		for _, found := range r.Processes() {
			for _, p := range found {
				_ = p.Kill()
			}
		}
	}()
	r.AwaitNoProcess()
}

// checkRaces reports what the race detector wrote, which goes to a file since the holder
// has no standard error.
func (r *Rig) checkRaces() {
	reports, _ := filepath.Glob(filepath.Join(r.top, "race.*"))
	for _, report := range reports {
		text, _ := os.ReadFile(report) //nolint:gosec // below the test's own directory
		r.T.Errorf("%s", text)
	}
}
