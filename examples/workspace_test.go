package examples_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shirou/gopsutil/v4/process"

	"github.com/clocker/terraform-provider-clocker/internal/run"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

const (
	module    = "github.com/clocker/terraform-provider-clocker"
	binary    = "terraform-provider-clocker"
	leaveTime = 10 * time.Second

	cliConfig = `disable_checkpoint = true
provider_installation {
  dev_overrides { "clocker/clocker" = %q }
  direct {}
}
`
	requirement = `terraform {
  required_providers {
    clocker = { source = "clocker/clocker" }
  }
}
`
	// rollout stands for the work that the examples guard.
	rollout = "#!/bin/sh\necho rolled out\n"
)

// shown are the connect strings in the examples.
var shown = regexp.MustCompile(`zk1\.example\.com:2181[^"]*|127\.0\.0\.1:2181`)

// versions are the first minor versions 1.x of each CLI that know something.
type versions struct{ terraform, tofu int }

var (
	importBlocks     = versions{terraform: 5, tofu: 6}
	mocks            = versions{terraform: 7, tofu: 8}
	ephemeralBlocks  = versions{terraform: 10, tofu: 11}
	importByIdentity = versions{terraform: 12, tofu: 12}
	destroyEvents    = versions{terraform: 16, tofu: never} // of actions
)

// never is for what OpenTofu does not have.
const never = 1 << 30

// cli is the Terraform or OpenTofu to test with.
type cli struct {
	path  string
	tofu  bool
	minor int
}

var errNoCLI = errors.New("neither terraform nor tofu on PATH, and no CLOCKER_CLI")

// theCLI is the one that CLOCKER_CLI names, else what is on PATH.
var theCLI = sync.OnceValues(func() (cli, error) {
	c := cli{path: os.Getenv("CLOCKER_CLI")}
	for _, name := range []string{"terraform", "tofu"} {
		if path, err := exec.LookPath(name); err == nil && c.path == "" {
			c.path = path
		}
	}
	if c.path == "" {
		return c, errNoCLI
	}
	cmd := exec.Command(c.path, "version")
	cmd.Env = append(os.Environ(), "CHECKPOINT_DISABLE=1", "TF_CLI_CONFIG_FILE="+os.DevNull)
	output, err := cmd.Output()
	if err != nil {
		return c, fmt.Errorf("%s version: %w", c.path, err)
	}
	var name string
	if _, err := fmt.Sscanf(string(output), "%s v1.%d", &name, &c.minor); err != nil {
		return c, fmt.Errorf("%s version %q: %w", c.path, output, err)
	}
	c.tofu = name == "OpenTofu"
	return c, nil
})

// thePlugin is the provider, built once.
var thePlugin = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "clocker-examples-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, binary)
	if output, err := exec.Command("go", "build", "-o", path, module).CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the provider: %w\n%s", err, output)
	}
	return path, nil
})

// workspace is a directory in which to run the CLI against a fresh part of
// ZooKeeper. The test fails if a znode or a process is left at its end.
type workspace struct {
	t        *testing.T
	space    *zktest.Space
	dir      string
	cli      string
	provider string // the executable
	env      []string
}

func newWorkspace(t *testing.T, needs versions) *workspace {
	t.Helper()
	c, err := theCLI()
	if errors.Is(err, errNoCLI) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if !c.tofu && c.minor < needs.terraform || c.tofu && c.minor < needs.tofu {
		t.Skipf("%s does not know this", c.path)
	}
	w := &workspace{t: t, space: zktest.NewSpace(t), dir: t.TempDir(), cli: c.path}
	plugins := t.TempDir()
	w.provider = filepath.Join(plugins, binary)
	w.install(w.provider)
	config := filepath.Join(plugins, "cli.tfrc")
	if err := os.WriteFile(config, fmt.Appendf(nil, cliConfig, plugins), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, assignment := range os.Environ() {
		if !strings.HasPrefix(assignment, "TF_") && !strings.HasPrefix(assignment, "CLOCKER_") {
			w.env = append(w.env, assignment)
		}
	}
	w.env = append(w.env, "TF_CLI_CONFIG_FILE="+config, "CHECKPOINT_DISABLE=1", "CLOCKER_ZOOKEEPER="+w.space.ConnectString(), zktest.MarkProcesses(t))
	w.write("rollout.sh", rollout)
	return w
}

// install gives the test a provider of its own, by which its processes are known:
// the holder process inherits no mark.
func (w *workspace) install(path string) {
	w.t.Helper()
	plugin, err := thePlugin()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := os.Link(plugin, path); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), leaveTime)
		defer cancel()
		all, err := process.Processes()
		if err != nil {
			w.t.Error(err)
		}
		for _, p := range all {
			if zktest.Executable(p.Pid) != path {
				continue // Another's, or gone meanwhile.
			}
			if r, err := run.Of(int(p.Pid)); err == nil && r.Wait(ctx) != nil {
				line, _ := p.Cmdline()
				w.t.Errorf("the test left process %d %s", p.Pid, line)
			}
		}
	})
}

// write writes a file of the workspace. A configuration that is without gets
// required_providers, and the servers that it names become those of the test.
func (w *workspace) write(name, text string) {
	w.t.Helper()
	if name == "main.tf" && !strings.Contains(text, "required_providers") {
		text = requirement + text
	}
	text = shown.ReplaceAllLiteralString(text, w.space.ConnectString())
	mode := os.FileMode(0o600)
	if strings.HasPrefix(text, "#!") {
		mode = 0o700
	}
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), mode); err != nil {
		w.t.Fatal(err)
	}
}

func (w *workspace) mkdir(name string) {
	w.t.Helper()
	if err := os.Mkdir(filepath.Join(w.dir, name), 0o700); err != nil {
		w.t.Fatal(err)
	}
}

func (w *workspace) apply(says string) string {
	w.t.Helper()
	output, code := w.run(w.cli, "apply", "-auto-approve", "-no-color", "-input=false")
	if code != 0 || !strings.Contains(output, says) {
		w.t.Errorf("apply: exit code %d, want 0 and %q in\n%s", code, says, output)
	}
	return output
}

func (w *workspace) plan(want int) {
	w.t.Helper()
	if output, code := w.run(w.cli, "plan", "-detailed-exitcode", "-no-color", "-input=false"); code != want {
		w.t.Errorf("plan: exit code %d, want %d:\n%s", code, want, output)
	}
}

func (w *workspace) destroy() {
	w.t.Helper()
	if output, code := w.run(w.cli, "destroy", "-auto-approve", "-no-color", "-input=false"); code != 0 {
		w.t.Errorf("destroy: exit code %d:\n%s", code, output)
	}
}

// shell runs a script that calls the CLI by the name terraform.
func (w *workspace) shell(script string) {
	w.t.Helper()
	bin := w.t.TempDir()
	if err := os.Symlink(w.cli, filepath.Join(bin, "terraform")); err != nil {
		w.t.Fatal(err)
	}
	w.env = append(w.env, "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	if output, code := w.run("/bin/sh", "-c", script); code != 0 {
		w.t.Errorf("%s: exit code %d:\n%s", script, code, output)
	}
}

func (w *workspace) run(name string, args ...string) (output string, code int) {
	w.t.Helper()
	cmd := exec.CommandContext(w.t.Context(), name, args...)
	cmd.Dir = w.dir
	cmd.Env = w.env
	combined, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		w.t.Fatal(err)
	}
	return string(combined), cmd.ProcessState.ExitCode()
}

// hold makes another client hold a lock, and returns its znode.
func (w *workspace) hold(lockID, owner string) string {
	w.t.Helper()
	dir := "/_zklocking/" + lockID
	for _, path := range []string{"/_zklocking", dir} {
		if !w.space.Exists(path) {
			w.space.Create(path, nil, zktest.Persistent)
		}
	}
	return w.join(lockID, owner)
}

// join makes another client queue for a lock that is held, and returns its znode.
func (w *workspace) join(lockID, owner string) string {
	w.t.Helper()
	return w.space.Create("/_zklocking/"+lockID+"/"+foreign+"__lock__", []byte(owner), zktest.EphemeralSequential)
}

// foreign is what the names of other clients' contenders begin with.
var foreign = strings.Repeat("0", 32)
