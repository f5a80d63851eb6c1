// SPDX-License-Identifier: MPL-2.0

package examples_test

import (
	"strings"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/testkit"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// beside is another workspace on the same ZooKeeper.
func (w *workspace) beside(needs testkit.Versions) *workspace {
	w.T.Helper()
	other := newWorkspace(w.T, needs)
	other.Setenv("CLOCKER_ZOOKEEPER", w.space.ConnectString())
	return other
}

// TestLocks lists what is held and waited for, in both ways.
func TestLocks(t *testing.T) {
	t.Parallel()
	for file, needs := range map[string]testkit.Versions{"data-sources/clocker_locks/data-source.tf": {}, "list-resources/clocker_lock/list-resource.tfquery.hcl": testkit.Queries} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			w := newWorkspace(t, needs)
			first, second, other := w.hold("web-rollout", "alice@build1"), w.join("web-rollout", "bob@build2"), w.hold("staging", "carol@ops")
			var output, want string
			if strings.HasSuffix(file, ".tf") {
				w.write("main.tf", read(t, file))
				output, want = w.apply("Apply complete!"), "web-rollout: alice@build1, 1 waiting"
			} else {
				w.write("main.tf", "")
				w.write("locks.tfquery.hcl", read(t, file))
				output, _ = w.Run(w.CLI.Path, "query", "-no-color")
				want = "web-rollout: held by alice@build1, 1 waiting"
			}
			if !strings.Contains(output, want) || strings.Contains(output, "staging") {
				t.Errorf("%q, and nothing of staging, is not in\n%s", want, output)
			}
			w.space.Delete(first, second, other, "/_zklocking/web-rollout", "/_zklocking/staging")
		})
	}
}

// TestBreak takes a lock away from its holder, and from nobody else.
func TestBreak(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t, testkit.Actions)
	w.write("main.tf", read(t, "actions/clocker_break/action.tf"))
	znode := w.space.Path(w.hold("web-rollout", "alice@build1"))
	invoke := func() (string, int) {
		return w.Run(w.CLI.Path, "apply", "-auto-approve", "-no-color", "-input=false", "-invoke=action.clocker_break.rollout", "-var=znode="+znode, "-var=reason=build1 hangs")
	}
	if output, code := invoke(); code != 0 || !strings.Contains(output, "Removed alice@build1") {
		t.Errorf("exit code %d:\n%s", code, output)
	}
	if output, code := invoke(); code == 0 || !strings.Contains(output, "Nothing To Break") {
		t.Errorf("a second time: exit code %d:\n%s", code, output)
	}
}

// TestFreeze keeps rollouts from beginning until it is destroyed, and waits for those that
// have begun. Who is kept reads why.
func TestFreeze(t *testing.T) {
	t.Parallel()
	rollout := newWorkspace(t, testkit.EphemeralBlocks)
	rollout.write("main.tf", strings.Replace(read(t, "guides/freeze/rollout.tf"), "lockwait = 3600", "lockwait = 0", 1))
	freeze := rollout.beside(testkit.EphemeralBlocks)
	config := read(t, "guides/freeze/freeze.tf")
	freeze.write("main.tf", strings.Replace(config, "lockwait   = 3600", "lockwait = 0", 1))

	rollout.space.Create("/_zklocking", nil, zktest.Persistent)
	rollout.space.Create("/_zklocking/change-freeze", nil, zktest.Persistent)
	begun := rollout.space.Create("/_zklocking/change-freeze/sh", []byte("another rollout"), zktest.EphemeralSequential)
	freeze.refuse("another rollout")
	rollout.apply("rolled out")
	rollout.space.Delete(begun)

	freeze.write("main.tf", config)
	freeze.apply("Apply complete!")
	freeze.plan(noChanges)
	rollout.write("more.tf", "resource \"terraform_data\" \"more\" {\n depends_on = [ephemeral.clocker_lock.rollout]\n}\n")
	const why = "Frozen until Monday 08:00. Ask carol@example.com."
	rollout.refuse(why)
	byHand := func() (string, int) {
		return rollout.Run(rollout.Program, "run", "--lockid", "change-freeze", "--mode", "shared", "--", "echo", "rolled out by hand")
	}
	if output, code := byHand(); code == 0 || !strings.Contains(output, why) {
		t.Errorf("by hand: exit code %d:\n%s", code, output)
	}
	freeze.destroy()
	if output, code := byHand(); code != 0 || !strings.Contains(output, "rolled out by hand") {
		t.Errorf("by hand, after the freeze: exit code %d:\n%s", code, output)
	}
	rollout.apply("Apply complete! Resources: 1 added")
	rollout.destroy()
}
