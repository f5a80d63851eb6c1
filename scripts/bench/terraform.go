package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/shirou/gopsutil/v4/process"

	"github.com/clocker/terraform-provider-clocker/internal/holder"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

const (
	module       = "github.com/clocker/terraform-provider-clocker"
	envCLI       = "CLOCKER_CLI"
	providerName = "terraform-provider-clocker"

	cliConfig = `disable_checkpoint = true

provider_installation {
  dev_overrides {
    "clocker/clocker" = %q
  }
  direct {}
}
`
	required = `
terraform {
  required_providers {
    clocker = { source = "clocker/clocker" }
  }
}
`
)

// terraform is the command line with the provider of this checkout.
type terraform struct {
	path    string
	version string
	dir     string
	env     []string
}

func newTerraform(ctx context.Context, server string) (_ *terraform, err error) {
	t := &terraform{path: os.Getenv(envCLI)}
	if t.path == "" {
		if t.path, err = exec.LookPath("terraform"); err != nil {
			return nil, fmt.Errorf("no %s, and %w", envCLI, err)
		}
	}
	if t.dir, err = os.MkdirTemp("", "clocker-bench-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			t.close()
		}
	}()
	binary := filepath.Join(t.dir, "bin", providerName)
	if runtime.GOOS == "windows" {
		binary += ".exe"
	}
	if output, err := exec.CommandContext(ctx, "go", "build", "-o", binary, module).CombinedOutput(); err != nil { //nolint:gosec // our own module
		return nil, fmt.Errorf("build the provider: %w\n%s", err, output)
	}
	config := filepath.Join(t.dir, "cli.tfrc")
	if err := write(config, fmt.Sprintf(cliConfig, filepath.Dir(binary))); err != nil {
		return nil, err
	}
	t.env = []string{"TF_CLI_CONFIG_FILE=" + config, "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1", "CLOCKER_ZOOKEEPER=" + server + "/bench"}
	for _, assignment := range os.Environ() {
		name, _, _ := strings.Cut(assignment, "=")
		if !strings.HasPrefix(name, "TF_") && !strings.HasPrefix(name, "CLOCKER_") && name != "ZOOKEEPER_SERVERS" {
			t.env = append(t.env, assignment)
		}
	}
	cmd := exec.CommandContext(ctx, t.path, "version") //nolint:gosec // the CLI that was asked for
	cmd.Env = t.env
	version, err := cmd.Output()
	t.version, _, _ = strings.Cut(string(version), "\n")
	return t, err
}

func (t *terraform) close() { _ = os.RemoveAll(t.dir) }

// workspace is a directory with a configuration.
type workspace struct {
	*terraform
	dir string
}

func (t *terraform) workspace(config string) (*workspace, error) {
	dir, err := os.MkdirTemp(t.dir, "run-")
	if err != nil {
		return nil, err
	}
	return &workspace{t, dir}, write(filepath.Join(dir, "main.tf"), required+config)
}

func (w *workspace) remove() { _ = os.RemoveAll(w.dir) }

func (w *workspace) command(ctx context.Context, verb string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, w.path, verb, "-auto-approve", "-no-color", "-input=false") //nolint:gosec // the CLI that was asked for
	cmd.Dir, cmd.Env = w.dir, w.env
	return cmd
}

// run gives the processor time that it took, that of the plugins included.
func (w *workspace) run(ctx context.Context, verb string) (cpu time.Duration, err error) {
	cmd := w.command(ctx, verb)
	if output, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("%s: %w\n%s", verb, err, output)
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}

// processes are those of the provider: plugins and holders.
func (t *terraform) processes() (plugins, holders []*process.Process, err error) {
	all, err := process.Processes()
	if err != nil {
		return nil, nil, err
	}
	for _, p := range all {
		if !strings.HasPrefix(zktest.Executable(p.Pid), t.dir+string(filepath.Separator)) {
			continue
		}
		if line, _ := p.CmdlineSlice(); slices.Contains(line, holder.Command) {
			holders = append(holders, p)
		} else {
			plugins = append(plugins, p)
		}
	}
	return plugins, holders, nil
}

// peaks is what a kind of process took.
type peaks struct {
	memory uint64            // the most bytes of one of them
	cpu    map[int32]float64 // seconds of each, as last seen
}

func (p *peaks) look(processes []*process.Process) {
	for _, one := range processes {
		if m, err := one.MemoryInfo(); err == nil {
			p.memory = max(p.memory, m.RSS, m.HWM)
		}
		if t, err := one.Times(); err == nil {
			p.cpu[one.Pid] = t.User + t.System
		}
	}
}

// milliseconds are those of the processor in all of them.
func (p *peaks) milliseconds() float64 {
	sum := 0.0
	for _, seconds := range p.cpu {
		sum += 1000 * seconds
	}
	return sum
}

// seen is what was seen of our processes, and what all of Terraform took.
type seen struct {
	provider, holder peaks
	cpu              time.Duration
}

func newSeen() *seen {
	return &seen{provider: peaks{cpu: map[int32]float64{}}, holder: peaks{cpu: map[int32]float64{}}}
}

// watch looks at the processes until stop is called.
func (t *terraform) watch(s *seen) (stop func()) {
	stopped, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			if plugins, holders, err := t.processes(); err == nil {
				s.provider.look(plugins)
				s.holder.look(holders)
			}
			select {
			case <-stopped:
				return
			case <-time.After(25 * time.Millisecond):
			}
		}
	}()
	return func() {
		close(stopped)
		<-done
	}
}
