// SPDX-License-Identifier: MPL-2.0

package examples_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/testkit"
)

// guides are examples of the guides that are applied like all others.
var guides = []example{
	{
		file:  "guides/serializing-rollouts/main.tf",
		needs: testkit.EphemeralBlocks,
		says:  "looks good",
	},
	{
		file:  "guides/serializing-rollouts/slots.tf",
		needs: testkit.EphemeralBlocks,
		says:  "rolled out",
	},
	{
		file:  "guides/serializing-rollouts/two-locks.tf",
		needs: testkit.EphemeralBlocks,
		says:  "rolled out",
	},
	{
		file: "guides/gating/look-again.tf",
		says: "rolled out",
		then: changes,
	},
	{
		file: "guides/gating/check.tf",
		says: "Apply complete!",
		then: changes, // a data source in a check is read in each apply
	},
	{
		file: "guides/operating/queue.tf",
		says: `queue = ""`,
	},
	{
		file: "guides/sharing/curator.tf",
		says: "rolled out",
		then: changes,
	},
	{
		file: "guides/migrating/held.tf",
		says: "The lock lock-test1 exists and is held",
		then: changes,
	},
}

// guidesElsewhere are those with a test of their own below.
var guidesElsewhere = []string{
	"guides/serializing-rollouts/module.tf",
	"guides/serializing-rollouts/after.tf",
	"guides/serializing-rollouts/fleet/main.tf",
	"guides/serializing-rollouts/web/main.tf",
	"guides/gating/reserved.tf",
	"guides/fencing/main.tf",
	"guides/connecting-securely/main.tf",
	"guides/connecting-securely/kerberos.tf",
	"guides/connecting-securely/digest-md5.tf",
	"guides/freeze/freeze.tf",
	"guides/freeze/rollout.tf",
	"actions/clocker_break/action.tf",
	"guides/testing/main.tf",
	"guides/what-is-not-guarded/create-before-destroy.tf",
	"guides/what-is-not-guarded/provider.tf",
	"guides/what-is-not-guarded/durable.tf",
	"guides/what-is-not-guarded/action.tf",
}

// TestModule guards a whole module.
func TestModule(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t, testkit.EphemeralBlocks)
	w.mkdir("web")
	config := read(t, "guides/serializing-rollouts/module.tf")
	w.write("main.tf", strings.Replace(config, "lockwait = 1800", "lockwait = 0", 1))
	w.write("web/main.tf", read(t, "guides/serializing-rollouts/web/main.tf"))
	if output, code := w.Run(w.CLI.Path, "get", "-no-color"); code != 0 {
		t.Fatal(output)
	}
	other := w.hold("web-rollout", "somebody else")
	output := w.refuse("Lock Is Held")
	if strings.Contains(output, "rolled out") {
		t.Errorf("the module does not wait for its lock:\n%s", output)
	}
	w.space.Delete(other)
	w.write("main.tf", config)
	w.apply("rolled out")
	w.plan(noChanges)
	w.destroy()
}

// TestTesting runs the tests of the guide, and one of an ephemeral block, which Terraform
// cannot mock.
func TestTesting(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t, testkit.Mocks)
	w.write("main.tf", read(t, "guides/testing/main.tf"))
	for _, name := range []string{"mocked.tftest.hcl", "bare.tftest.hcl", "real.tftest.hcl"} {
		w.write(name, read(t, "guides/testing/"+name))
	}
	if output := w.must("test"); !strings.Contains(output, "3 passed, 0 failed") {
		t.Errorf("not all were run:\n%s", output)
	}

	w = newWorkspace(t, testkit.EphemeralBlocks)
	w.write("main.tf", read(t, "ephemeral-resources/clocker_lock/ephemeral-resource.tf"))
	w.write("bare.tftest.hcl", `
mock_provider "clocker" {}
mock_provider "terraform" {}

run "rollout" {
  command = plan
  assert {
    condition     = terraform_data.rollout.triggers_replace != null
    error_message = "not planned"
  }
}
`)
	output, code := w.Run(w.CLI.Path, "test", "-no-color")
	says := "1 passed, 0 failed"
	switch {
	case !w.CLI.Tofu:
		says = "No ephemeral resource types in mock providers"
	case w.CLI.Minor < 12:
		says = "OPENTOFU CRASH"
	}
	if !strings.Contains(output, says) {
		t.Errorf("exit code %d, and not %q:\n%s", code, says, output)
	}
}

// TestLookAgain is the precondition of a rollout while somebody works by hand, who
// came after the plan.
func TestLookAgain(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t, testkit.Versions{})
	w.write("main.tf", read(t, "guides/gating/look-again.tf"))
	if output, code := w.Run(w.CLI.Path, "plan", "-no-color", "-input=false", "-out=saved.tfplan"); code != 0 {
		t.Fatal(output)
	}
	other := w.hold("web-maintenance", "carol")
	if output, code := w.Run(w.CLI.Path, "apply", "-no-color", "-input=false", "saved.tfplan"); code == 0 || !strings.Contains(output, "maintains web by hand: carol") {
		t.Errorf("apply: exit code %d:\n%s", code, output)
	}
	w.space.Delete(other, "/_zklocking/web-maintenance")
	w.apply("rolled out")
	w.destroy()
}

// TestReserved lets nobody in until there is a reservation.
func TestReserved(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t, testkit.Versions{})
	w.write("main.tf", read(t, "guides/gating/reserved.tf"))
	w.refuse("Nobody has opened a change window.")
	other := w.hold("change-window", "on call")
	w.apply("rolled out")
	w.destroy()
	w.space.Delete(other, "/_zklocking/change-window")
}

// TestStuck warns of a lock that is held for long, and of nothing else.
func TestStuck(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t, testkit.Versions{})
	w.write("main.tf", read(t, "guides/gating/check.tf"))
	const warning = "held for more than two hours"
	other := w.hold("web-rollout", "somebody who came just now")
	if output := w.apply("Apply complete!"); strings.Contains(output, warning) {
		t.Errorf("warned of a lock that was taken just now:\n%s", output)
	}
	w.space.Delete(other)
	other = w.hold("web-rollout", fmt.Sprintf(`{"v":1,"owner":"bob","since":"2020-02-29T12:00:00Z","held_since":%q}`, time.Now().UTC().Format(time.RFC3339)))
	if output := w.apply("Apply complete!"); strings.Contains(output, warning) {
		t.Errorf("warned of a lock that was waited for, and is held since now:\n%s", output)
	}
	w.space.Delete(other)
	other = w.hold("web-rollout", `{"v":1,"owner":"carol","since":"2020-02-29T12:00:00Z","held_since":"2020-02-29T13:00:00Z"}`)
	if output := w.apply("Apply complete!"); !strings.Contains(output, warning) || !strings.Contains(output, "carol") {
		t.Errorf("did not warn:\n%s", output)
	}
	w.space.Delete(other, "/_zklocking/web-rollout")
	w.destroy()
}

// TestQueue shows who holds a lock and who waits.
func TestQueue(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t, testkit.Versions{})
	w.write("main.tf", read(t, "guides/operating/queue.tf"))
	holder := w.hold("web-rollout", `{"v":1,"owner":"alice@build1","host":"build1","pid":7,"since":"2026-02-03T04:05:06Z","held_since":"2026-02-03T04:15:06Z","max_hold":3600}`)
	waiter := w.join("web-rollout", "bob@build2")
	output := w.apply("Apply complete!")
	for _, want := range []string{"holds since 2026-02-03T04:15:06Z, until 2026-02-03T05:15:06Z at the latest  alice@build1  process 7 on build1  ", "waits since 20", "  bob@build2  process ? on ?  "} {
		if !strings.Contains(output, want) {
			t.Errorf("%q is not in\n%s", want, output)
		}
	}
	w.space.Delete(holder, waiter, "/_zklocking/web-rollout")
	w.destroy()
}

// refuse is apply where that has to fail.
func (w *workspace) refuse(says string) string {
	w.T.Helper()
	output, code := w.Run(w.CLI.Path, "apply", "-auto-approve", "-no-color", "-input=false")
	if code == 0 || !strings.Contains(output, says) {
		w.T.Errorf("apply: exit code %d, want a failure and %q in\n%s", code, says, output)
	}
	return output
}
