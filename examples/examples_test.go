// SPDX-License-Identifier: MPL-2.0

// Package examples_test applies every example as a user would: with the real CLI,
// the provider of this checkout and a real ZooKeeper.
package examples_test

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/clocker/terraform-provider-clocker/internal/testkit"
)

func TestMain(m *testing.M) {
	for _, name := range []string{"TF_LOG_PROVIDER_FLEET", "TF_LOG_SDK", "TF_LOG_SDK_FRAMEWORK", "TF_LOG_SDK_PROTO"} {
		_ = os.Setenv(name, "off") // the witness is served by this process, and would write all of them
	}
	// go-plugin leaves these behind each provider that it has served in a test.
	testkit.Main(m, goleak.IgnoreAnyFunction("github.com/hashicorp/go-plugin.copyChan"))
}

// Exit codes of `plan -detailed-exitcode`.
const (
	noChanges = 0
	changes   = 2
)

// example is a configuration, and what is to be seen when it is applied.
type example struct {
	file  string
	needs testkit.Versions // zero: any
	with  string           // what the configuration needs to do anything
	says  string           // in the output of apply
	then  int              // what the next plan finds
}

var examples = []example{
	{
		file: "provider/provider.tf",
		with: `data "clocker_lock" "test" { lockid = "test" }`,
		says: "Apply complete! Resources: 0 added",
	},
	{
		file: "resources/clocker_lock/resource.tf",
		says: "rolled out",
		then: changes, // each apply takes the lock again
	},
	{
		file: "resources/clocker_lock/resource_destroyed.tf",
		says: "Apply complete! Resources: 2 added",
	},
	{
		file: "resources/clocker_lock/resource_guard.tf",
		says: "rolled out",
		then: changes,
	},
	{
		file:  "ephemeral-resources/clocker_lock/ephemeral-resource.tf",
		needs: testkit.EphemeralBlocks,
		says:  "rolled out",
	},
	{
		file:  "actions/clocker_lock/action.tf",
		needs: testkit.DestroyEvents,
		says:  "rolled out",
	},
	{
		file: "data-sources/clocker_lock/data-source.tf",
		says: "staging_is_held_by = []",
	},
	{
		file: "data-sources/clocker_locks/data-source.tf",
		says: "locks = []",
	},
	{
		file: "guides/getting-started.tf",
		says: "rolled out",
		then: changes,
	},
}

// imports are for TestImport.
var imports = []string{
	"resources/clocker_lock/import-by-string-id.tf",
	"resources/clocker_lock/import-by-identity.tf",
}

func TestApply(t *testing.T) {
	t.Parallel()
	for _, ex := range slices.Concat(examples, guides) {
		t.Run(ex.file, func(t *testing.T) {
			t.Parallel()
			w := newWorkspace(t, ex.needs)
			w.write("main.tf", read(t, ex.file))
			w.write("with.tf", ex.with)
			w.apply(ex.says)
			w.plan(ex.then)
			w.destroy()
		})
	}
}

// TestReadme applies what README shows first.
func TestReadme(t *testing.T) {
	t.Parallel()
	_, text, found := strings.Cut(strings.Replace(read(t, "../README.md"), "sleep 20", "sleep 0", 1), "```terraform\n")
	if !found {
		t.Fatal("README has no block of Terraform code")
	}
	text, _, _ = strings.Cut(text, "```\n")
	w := newWorkspace(t, testkit.Versions{})
	w.write("main.tf", text)
	w.apply("rolled out")
	w.destroy()
}

// TestEveryExampleIsTested fails for a new example that is in no table here.
func TestEveryExampleIsTested(t *testing.T) {
	t.Parallel()
	var tested []string
	for _, ex := range slices.Concat(examples, guides) {
		tested = append(tested, ex.file)
	}
	tested = append(append(tested, imports...), guidesElsewhere...)
	err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if filepath.Ext(path) == ".tf" && !slices.Contains(tested, filepath.ToSlash(path)) {
			t.Errorf("no test applies %s", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestGuard is the cookbook's guard where someone else has the lock.
func TestGuard(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t, testkit.Versions{})
	config := strings.Replace(read(t, "resources/clocker_lock/resource_guard.tf"), "lockwait = 10", "lockwait = 0", 1)
	w.write("main.tf", config)
	other := w.hold("web-restart", "somebody else")
	output := w.apply("skipped, someone else is at it")
	for _, want := range []string{"Lock Not Held", "somebody else"} {
		if !strings.Contains(output, want) {
			t.Errorf("apply did not say %q:\n%s", want, output)
		}
	}
	w.space.Delete(other)
	w.apply("rolled out")
	w.destroy()
}

// TestCheck is the data source's example where someone has the lock.
func TestCheck(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t, testkit.Versions{})
	w.write("main.tf", read(t, "data-sources/clocker_lock/data-source.tf"))
	other := w.hold("staging", "somebody else")
	output := w.apply("somebody else since 20")
	if !strings.Contains(output, "Staging is reserved.") {
		t.Errorf("the check said nothing:\n%s", output)
	}
	w.space.Delete(other, "/_zklocking/staging")
	w.destroy()
}

// TestImport adopts, in each way, a durable lock that another state left.
func TestImport(t *testing.T) {
	t.Parallel()
	t.Run("import.sh", func(t *testing.T) {
		t.Parallel()
		w := newWorkspace(t, testkit.Versions{})
		w.leaveDurable()
		w.shell(read(t, "resources/clocker_lock/import.sh"))
		w.apply("Apply complete! Resources: 1 added, 0 changed, 0 destroyed")
		w.plan(noChanges)
		w.destroy()
	})
	for _, file := range imports {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			needs := testkit.ImportBlocks
			if strings.Contains(file, "identity") {
				needs = testkit.ImportByIdentity
			}
			w := newWorkspace(t, needs)
			w.leaveDurable()
			w.write("import.tf", read(t, file))
			w.apply("Resources: 1 imported, 1 added, 0 changed, 0 destroyed")
			w.plan(noChanges)
			w.destroy()
		})
	}
}

// leaveDurable takes the lock of resource_destroyed.tf and forgets that it did.
func (w *workspace) leaveDurable() {
	w.T.Helper()
	w.write("main.tf", read(w.T, "resources/clocker_lock/resource_destroyed.tf"))
	w.apply("Apply complete!")
	for _, state := range []string{"terraform.tfstate", "terraform.tfstate.backup"} {
		if err := os.RemoveAll(filepath.Join(w.Dir, state)); err != nil {
			w.T.Fatal(err)
		}
	}
}

// read returns an example without the block that lets it be pasted as it is: a test can put
// several into one configuration.
func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.FromSlash(file))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(string(text), pasted)
}

// pasted begins each example that is a configuration. Without it Terraform looks for
// hashicorp/clocker.
const pasted = `terraform {
  required_providers { clocker = { source = "clocker/clocker", version = "~> 0.1" } }
}

`

// notPasted are parts of a configuration: modules, and what stands beside a resource.
var notPasted = []string{
	"guides/serializing-rollouts/fleet/main.tf",
	"guides/serializing-rollouts/web/main.tf",
	"resources/clocker_lock/import-by-identity.tf",
	"resources/clocker_lock/import-by-string-id.tf",
}

func TestExamplesCanBePasted(t *testing.T) {
	t.Parallel()
	all := os.DirFS(".")
	err := fs.WalkDir(all, ".", func(file string, _ fs.DirEntry, err error) error {
		if err != nil || path.Ext(file) != ".tf" || slices.Contains(notPasted, file) {
			return err
		}
		text, err := fs.ReadFile(all, file)
		if !strings.HasPrefix(string(text), pasted) && !strings.Contains(string(text), "required_providers {\n    clocker = {\n") {
			t.Errorf("%s does not say where the provider is", file)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
