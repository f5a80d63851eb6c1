// SPDX-License-Identifier: MPL-2.0

package testkit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// EnvCLI names the environment variable with the path of the Terraform or OpenTofu to run.
const EnvCLI = "CLOCKER_CLI"

// ErrNoCLI is returned by FindCLI where there is none.
var ErrNoCLI = errors.New("neither terraform nor tofu on PATH, and no " + EnvCLI)

// CLI is a Terraform or OpenTofu.
type CLI struct {
	Path    string
	Version string // as it says itself: "Terraform v1.11.4"
	Tofu    bool
	Minor   int // of the version 1.x
}

// FindCLI finds the one that CLOCKER_CLI names, else terraform, else tofu on PATH.
func FindCLI(ctx context.Context) (CLI, error) {
	c := CLI{Path: os.Getenv(EnvCLI)}
	for _, name := range []string{"terraform", "tofu"} {
		if path, err := exec.LookPath(name); err == nil && c.Path == "" {
			c.Path = path
		}
	}
	if c.Path == "" {
		return c, ErrNoCLI
	}
	cmd := exec.CommandContext(ctx, c.Path, "version") //nolint:gosec // the CLI that was asked for
	cmd.Env = append(os.Environ(), "CHECKPOINT_DISABLE=1", "TF_CLI_CONFIG_FILE="+os.DevNull)
	output, err := cmd.Output()
	if err != nil {
		return c, fmt.Errorf("%s version: %w", c.Path, err)
	}
	c.Version, _, _ = strings.Cut(string(output), "\n")
	var name string
	if _, err := fmt.Sscanf(c.Version, "%s v1.%d", &name, &c.Minor); err != nil {
		return c, fmt.Errorf("%s version %q: %w", c.Path, c.Version, err)
	}
	c.Tofu = name == "OpenTofu"
	return c, nil
}

// Build builds the provider into a directory and returns the path of the program. flags
// are further ones of go build.
func Build(ctx context.Context, dir string, flags ...string) (string, error) {
	const module = "github.com/clocker/terraform-provider-clocker"
	program := filepath.Join(dir, "terraform-provider-clocker")
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	args := append(append([]string{"build"}, flags...), "-o", program, module)
	if output, err := exec.CommandContext(ctx, "go", args...).CombinedOutput(); err != nil { //nolint:gosec // our own module
		return "", fmt.Errorf("build the provider: %w\n%s", err, output)
	}
	return program, nil
}
