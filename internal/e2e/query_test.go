// SPDX-License-Identifier: MPL-2.0

//go:build unix

package e2e

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/testkit"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// query lists locks and returns what Terraform says of each.
func (w *workspace) query(block string) (found []string) {
	w.T.Helper()
	write(w.T, filepath.Join(w.Dir, "locks.tfquery.hcl"), block)
	query := w.Start("query", "-json")
	query.Succeed()
	for line := range strings.Lines(query.Stdout()) {
		var message struct {
			Found *struct {
				DisplayName string            `json:"display_name"`
				Identity    map[string]string `json:"identity"`
			} `json:"list_resource_found"`
		}
		if err := json.Unmarshal([]byte(line), &message); err != nil {
			w.T.Fatal(err)
		}
		if message.Found != nil {
			found = append(found, message.Found.Identity["lockid"]+" = "+message.Found.DisplayName)
		}
	}
	return found
}

// Every lock is listed, with who holds it; a prefix narrows that, and a limit.
func TestQueryListsLocks(t *testing.T) {
	t.Parallel()
	testkit.Needs(t, testkit.Queries)
	space := zktest.NewSpace(t)
	foreign := holdForeign(space)
	w := newQuickWorkspace(t, provider(space), lock("a", `lockid = "team/a"`, `hold_until = "destroyed"`), lock("b", `lockid = "s"`, "slots = 2", `hold_until = "destroyed"`))
	w.Setenv("CLOCKER_OWNER", "tester")
	w.Apply().Succeed()
	for block, want := range map[string][]string{
		"":                                  {"e2e = e2e: held by another client, 0 waiting", "s = s: held by tester (durable), 0 waiting", "team__a = team__a: held by tester (durable), 0 waiting"},
		"config {\n prefix = \"team/\"\n}":  {"team__a = team__a: held by tester (durable), 0 waiting"},
		"limit = 1":                         {"e2e = e2e: held by another client, 0 waiting"},
		"config {\n prefix = \"nobody\"\n}": nil,
	} {
		if got := w.query("list \"clocker_lock\" \"all\" {\n provider = clocker\n" + block + "\n}\n"); !slices.Equal(got, want) {
			t.Errorf("with %q there is %q, want %q", block, got, want)
		}
	}
	w.destroy().Succeed()
	space.Delete(lockDir + "/" + foreign)
	deleteEmpty(space, lockDir)
}

// What is listed of a durable lock is what imports it, without anything to change.
func TestQueryGeneratesWhatImports(t *testing.T) {
	t.Parallel()
	testkit.Needs(t, testkit.Queries)
	space := zktest.NewSpace(t)
	w := newQuickWorkspace(t, provider(space), lock("a", `hold_until = "destroyed"`, `mode = "shared"`, `info = "why"`))
	w.Apply().Succeed()
	other := newQuickWorkspace(t, provider(space))
	write(t, filepath.Join(other.Dir, "locks.tfquery.hcl"), "list \"clocker_lock\" \"all\" {\n provider = clocker\n include_resource = true\n}\n")
	other.Start("query", "-generate-config-out=generated.tf").Succeed()
	apply := other.Apply()
	apply.Succeed()
	if text := apply.Stdout(); !strings.Contains(text, "1 imported, 0 added, 0 changed") {
		t.Errorf("it was not imported as it is:\n%s", text)
	}
	other.destroy().Succeed()
	space.WaitGone(lockDir)
}

// The errors of a query say what failed.
func TestQueryFails(t *testing.T) {
	t.Parallel()
	testkit.Needs(t, testkit.Queries)
	for name, test := range map[string]struct{ provider, says string }{
		"no server": {"provider \"clocker\" {\n zookeeper = \"127.0.0.1:1\"\n connect_timeout = 1\n}\n", "ZooKeeper Cannot Be Reached"},
		"no name":   {"", "No ZooKeeper Named"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newQuickWorkspace(t, test.provider)
			write(t, filepath.Join(w.Dir, "locks.tfquery.hcl"), "list \"clocker_lock\" \"all\" {\n provider = clocker\n}\n")
			query := w.Start("query", "-json")
			query.Fail()
			if text := query.Stdout(); !strings.Contains(text, test.says) {
				t.Errorf("it does not say %q:\n%s", test.says, text)
			}
		})
	}
}
