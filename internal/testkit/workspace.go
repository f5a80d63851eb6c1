// SPDX-License-Identifier: MPL-2.0

package testkit

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/shirou/gopsutil/v4/process"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// Workspace is a directory with a configuration, the state that comes of it, and a
// provider program of its own, by which its processes are told from others.
type Workspace struct {
	CLI     CLI
	Dir     string   // of the configuration
	Program string   // the provider's path
	Env     []string // of the commands: nothing of the developer's own settings
}

// cliConfig makes the CLI use a provider that was built, without a registry.
const cliConfig = `
provider_installation {
  dev_overrides {
    "clocker/clocker" = %q
  }
  direct {}
}
`

// RequiredProviders is what a configuration of the provider begins with.
const RequiredProviders = `
terraform {
  required_providers {
    clocker = { source = "clocker/clocker" }
  }
}
`

// NewWorkspace makes a workspace in a new or empty directory, with a link to a provider
// that Build has built in the same file system.
func NewWorkspace(cli CLI, top, provider string) (*Workspace, error) {
	plugins := filepath.Join(top, "plugins")
	w := &Workspace{CLI: cli, Dir: filepath.Join(top, "config"), Program: filepath.Join(plugins, filepath.Base(provider))}
	for _, dir := range []string{w.Dir, plugins} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	if err := os.Link(provider, w.Program); err != nil {
		return nil, err
	}
	config := filepath.Join(top, "cli.tfrc")
	if err := os.WriteFile(config, fmt.Appendf(nil, cliConfig, plugins), 0o600); err != nil {
		return nil, err
	}
	w.Env = []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + top,
		"TMPDIR=" + filepath.Dir(provider), // a plugin that is killed leaves its socket
		"TF_CLI_CONFIG_FILE=" + config,
		"CHECKPOINT_DISABLE=1",
		"TF_IN_AUTOMATION=1",
	}
	return w, nil
}

// Command is one of the CLI, not started yet.
func (w *Workspace) Command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, w.CLI.Path, args...) //nolint:gosec // the CLI that was asked for
	cmd.Dir, cmd.Env = w.Dir, w.Env
	return cmd
}

// Processes are those that run the workspace's provider, by their arguments, "" where
// there are none: those are what Terraform has started, "hold" is the holder. A holder has
// nothing in its environment by which it could be found instead.
func (w *Workspace) Processes() (map[string][]*process.Process, error) {
	running, err := zktest.Running(filepath.Dir(w.Program))
	if err != nil {
		return nil, err
	}
	found := make(map[string][]*process.Process)
	for _, p := range running {
		if args, err := p.CmdlineSlice(); err == nil && len(args) > 0 {
			command := strings.Join(args[1:], " ")
			found[command] = append(found[command], p)
		}
	}
	return found, nil
}
