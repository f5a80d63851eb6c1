// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/testkit"
)

const (
	configName   = "main.tf"
	logName      = "apply.log"
	stopPatience = 10 * time.Second
)

// cli runs Terraform or OpenTofu with the provider of this checkout.
type cli struct {
	testkit.CLI
	dir      string
	provider string // the program
	worker   string // a copy of this program, by which its processes are known
}

func newCLI(ctx context.Context, dir string) (*cli, error) {
	found, err := testkit.FindCLI(ctx)
	if err != nil {
		return nil, err
	}
	c := &cli{CLI: found, dir: dir, worker: filepath.Join(dir, "demo")}
	if c.provider, err = testkit.Build(ctx, filepath.Join(dir, "bin")); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	program, err := os.ReadFile(self) //nolint:gosec // this program
	if err != nil {
		return nil, err
	}
	return c, os.WriteFile(c.worker, program, 0o700) //nolint:gosec // a program
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
	top := filepath.Join(c.dir, name)
	w, err := testkit.NewWorkspace(c.CLI, top, c.provider)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(w.Dir, configName), []byte(configuration), 0o600); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(top, logName)) //nolint:gosec // a name of our own
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // The child has its own.
	cmd := w.Command(ctx, "apply", "-auto-approve", "-no-color", "-input=false")
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = stopPatience
	cmd.Env = append(cmd.Env,
		"CLOCKER_ZOOKEEPER="+connectString,
		envRun+"="+name,
		envAddress+"="+address,
		"TF_VAR_worker="+c.worker,
		"TF_VAR_duration="+work.String(),
	)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &apply{name: name, cmd: cmd}, nil
}
