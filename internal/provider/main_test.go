// SPDX-License-Identifier: MPL-2.0

package provider

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

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"go.uber.org/goleak"

	"github.com/clocker/terraform-provider-clocker/internal/holder"
	"github.com/clocker/terraform-provider-clocker/internal/run"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// openTofuRegistry is where OpenTofu looks for providers that name no registry.
const openTofuRegistry = "registry.opentofu.org"

func TestMain(m *testing.M) {
	os.Exit(runTests(m))
}

// runTests gives the acceptance tests a CLI: the one that TF_ACC_TERRAFORM_PATH names, else
// terraform or tofu on PATH. It hides the settings of the user who runs the tests.
func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "clocker-provider-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	config := filepath.Join(dir, "cli.tfrc")
	if err := os.WriteFile(config, nil, 0o600); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	env := map[string]string{"TF_CLI_CONFIG_FILE": config, "CHECKPOINT_DISABLE": "1"}
	cli := os.Getenv("TF_ACC_TERRAFORM_PATH")
	for _, name := range []string{"terraform", "tofu"} {
		if path, err := exec.LookPath(name); err == nil && cli == "" {
			cli = path
			env["TF_ACC_TERRAFORM_PATH"] = path
		}
	}
	if strings.HasPrefix(filepath.Base(cli), "tofu") {
		env["TF_ACC_PROVIDER_NAMESPACE"], env["TF_ACC_PROVIDER_HOST"] = "hashicorp", openTofuRegistry
	}
	for name, value := range env {
		if err := os.Setenv(name, value); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(name, "ZOOKEEPER_") && name != "ZOOKEEPER_HOME" || strings.HasPrefix(name, "CLOCKER_") && !strings.HasPrefix(name, "CLOCKER_TEST_") {
			_ = os.Unsetenv(name)
		}
	}
	// go-plugin leaves these goroutines behind after each provider that it served in a test.
	return zktest.Run(m, goleak.IgnoreAnyFunction("github.com/hashicorp/go-plugin.copyChan"))
}

// rig serves the provider in this process, on a ZooKeeper of the test's own. All
// commands of a test belong to one run, until the test begins another.
type rig struct {
	t     *testing.T
	space *zktest.Space

	mu      sync.Mutex
	runs    int
	runtime Runtime
	locals  []*holder.Local // of the runs that have not ended
}

func newRig(t *testing.T) *rig {
	t.Helper()
	if os.Getenv(resource.EnvTfAcc) == "" {
		t.Skipf("acceptance tests run if %s is set", resource.EnvTfAcc)
	}
	r := &rig{t: t, space: zktest.NewSpace(t)}
	r.runtime.Sessions = &zookeeper.Pool{}
	r.nextRun()
	t.Cleanup(func() {
		r.endRuns()
		r.runtime.Sessions.Close()
	})
	return r
}

// nextRun ends the present run with its locks, and begins another.
func (r *rig) nextRun() {
	r.t.Helper()
	r.endRuns()
	r.anotherRun()
}

// anotherRun begins a run beside the present one.
func (r *rig) anotherRun() {
	r.t.Helper()
	self, err := run.Self()
	if err != nil {
		r.t.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.runs++
	self.ID = fmt.Sprintf("%016x", r.runs)
	local := holder.NewLocal(self, nil)
	r.locals = append(r.locals, local)
	r.runtime.Run, r.runtime.Holder = self, local
}

func (r *rig) endRuns() {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, local := range r.locals {
		var lost *holder.LostError
		if err := local.Close(); err != nil && !errors.As(err, &lost) {
			r.t.Error("end of a run:", err)
		}
	}
	r.locals = nil
}

// factories serve the provider to the run that is present when they are called.
func (r *rig) factories() map[string]func() (tfprotov6.ProviderServer, error) {
	return map[string]func() (tfprotov6.ProviderServer, error){
		"clocker": func() (tfprotov6.ProviderServer, error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			return providerserver.NewProtocol6WithError(New("test", r.runtime)())()
		},
	}
}

// config is a configuration with the provider on the rig's ZooKeeper.
func (r *rig) config(blocks ...string) string {
	return fmt.Sprintf("provider \"clocker\" {\n  zookeeper = %q\n}\n", r.space.ConnectString()) + strings.Join(blocks, "\n")
}

// lock is a resource clocker_lock.a with the arguments, for the lock "l" unless they name
// another.
func lock(arguments ...string) string {
	text := strings.Join(arguments, "\n  ")
	if !strings.Contains(text, "lockid") {
		text = "lockid = \"l\"\n  " + text
	}
	return fmt.Sprintf("resource \"clocker_lock\" \"a\" {\n  %s\n}\n", text)
}

const (
	theLock = "clocker_lock.a"
	theData = "data.clocker_lock.a"
	lockDir = "/_zklocking/l"
)

// data is a data.clocker_lock.a with the arguments.
func data(arguments ...string) string {
	return fmt.Sprintf("data \"clocker_lock\" \"a\" {\n  lockid = \"l\"\n  %s\n}\n", strings.Join(arguments, "\n  "))
}

// The schemas are valid.
func TestSchema(t *testing.T) {
	server, err := providerserver.NewProtocol6WithError(New("test", Runtime{})())()
	if err != nil {
		t.Fatal(err)
	}
	resp, err := server.GetProviderSchema(context.Background(), &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range resp.Diagnostics {
		t.Errorf("%s: %s", d.Summary, d.Detail)
	}
	if resp.ResourceSchemas["clocker_lock"] == nil || resp.DataSourceSchemas["clocker_lock"] == nil || resp.EphemeralResourceSchemas["clocker_lock"] == nil {
		t.Error("a kind of clocker_lock is missing")
	}
	if resp.DataSourceSchemas["clocker_locks"] == nil || resp.ListResourceSchemas["clocker_lock"] == nil || resp.ActionSchemas["clocker_break"] == nil {
		t.Error("what shows all locks, or breaks one, is missing")
	}
}
