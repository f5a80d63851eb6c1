package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"time"
)

const (
	module       = "github.com/clocker/terraform-provider-clocker"
	envCLI       = "CLOCKER_CLI"
	configName   = "main.tf"
	logName      = "apply.log"
	stopPatience = 10 * time.Second
)

// cliConfig makes the CLI use the provider that was built, without a registry.
const cliConfig = `disable_checkpoint = true

provider_installation {
  dev_overrides {
    "clocker/clocker" = %q
  }
  direct {}
}
`

// cli runs Terraform or OpenTofu with the provider of this checkout.
type cli struct {
	path    string
	version string // its name and version, for people
	dir     string
	config  string
}

func newCLI(ctx context.Context, dir string) (*cli, error) {
	c := &cli{dir: dir, config: filepath.Join(dir, "cli.tfrc")}
	var err error
	if c.path, err = findCLI(); err != nil {
		return nil, err
	}
	binary := filepath.Join(dir, "bin", "terraform-provider-clocker")
	if runtime.GOOS == "windows" {
		binary += ".exe"
	}
	if output, err := exec.CommandContext(ctx, "go", "build", "-o", binary, module).CombinedOutput(); err != nil { //nolint:gosec // our own module
		return nil, fmt.Errorf("build the provider: %w\n%s", err, output)
	}
	if err := os.WriteFile(c.config, fmt.Appendf(nil, cliConfig, filepath.Dir(binary)), 0o600); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, c.path, "version") //nolint:gosec // the CLI that was asked for
	cmd.Env = c.environment()
	version, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s version: %w", c.path, err)
	}
	c.version, _, _ = strings.Cut(string(version), "\n")
	return c, nil
}

func findCLI() (string, error) {
	if path := os.Getenv(envCLI); path != "" {
		return path, nil
	}
	for _, name := range []string{"terraform", "tofu"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("neither terraform nor tofu on PATH, and no " + envCLI)
}

// apply is a running `terraform apply`.
type apply struct {
	name   string
	cmd    *exec.Cmd
	killed atomic.Bool
}

// kill ends it with SIGKILL, which it cannot notice.
func (a *apply) kill() error {
	a.killed.Store(true)
	return a.cmd.Process.Kill()
}

// start starts an apply of the configuration in a directory of its own, whose
// guarded work takes the given time. When ctx ends, it is interrupted.
func (c *cli) start(ctx context.Context, name string, work time.Duration, connectString, address string) (*apply, error) {
	dir := filepath.Join(c.dir, name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, configName), []byte(configuration), 0o600); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, logName)) //nolint:gosec // a name of our own
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // The child has its own.
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, c.path, "apply", "-auto-approve", "-no-color", "-input=false") //nolint:gosec // the CLI that was asked for
	cmd.Dir = dir
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = stopPatience
	cmd.Env = append(c.environment(),
		"CLOCKER_ZOOKEEPER="+connectString,
		envRun+"="+name,
		envAddress+"="+address,
		"TF_VAR_worker="+self,
		"TF_VAR_duration="+work.String(),
	)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &apply{name: name, cmd: cmd}, nil
}

// environment is ours without what would make the CLI or the provider behave
// otherwise than shown.
func (c *cli) environment() []string {
	env := []string{"TF_CLI_CONFIG_FILE=" + c.config, "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1"}
	for _, assignment := range os.Environ() {
		name, _, _ := strings.Cut(assignment, "=")
		if !strings.HasPrefix(name, "TF_") && !strings.HasPrefix(name, "CLOCKER_") && name != "ZOOKEEPER_SERVERS" {
			env = append(env, assignment)
		}
	}
	return env
}
