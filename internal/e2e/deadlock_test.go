// SPDX-License-Identifier: MPL-2.0

//go:build unix

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/testkit"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// Of two runs that wait for each other's lock, the one that came last fails at once and
// tells why; the other goes on.
func TestDeadlockOfTwoRuns(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	var applies [2]*testkit.Command
	var gates [2]*testkit.Gate
	locks := []string{"a", "b"}
	for i := range applies {
		gates[i] = testkit.NewGate(t)
		first, then := locks[i], locks[1-i]
		w := newWorkspace(t, provider(space, fmt.Sprintf("owner = %q", "run "+first)),
			lock(first, fmt.Sprintf("lockid = %q", first), "lockwait = -1"), guarded("work", first, `"1"`, gates[i].Work()),
			lock(then, fmt.Sprintf("lockid = %q", then), "lockwait = -1", "depends_on = [terraform_data.work]"))
		applies[i] = w.Apply()
		gates[i].AwaitBegun()
	}
	gates[0].End()
	space.WaitChildren("/_zklocking/b", 2)
	gates[1].End()
	applies[1].Fail()
	d := applies[1].Err()
	for _, want := range []string{
		`this run waits for lock "a", which run a holds`, `run a waits for lock "b", which this run holds`, "depends_on",
	} {
		if d.Summary != "Deadlock" || d.Address != "clocker_lock.a" || !strings.Contains(d.Detail, want) {
			t.Errorf("the error does not say %q: %v", want, d)
		}
	}
	applies[0].Succeed()
}

// Two runs that each take the same six locks in no order: one of them at least gets them all.
func TestSixLocksInTwoRuns(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	config := func(order string) string {
		return fmt.Sprintf(`
resource "clocker_lock" "each" {
  for_each = toset([for i in [%s] : "host${i}"])
  lockid   = each.key
  lockwait = 120
}
`, order)
	}
	var applies []*testkit.Command
	var workspaces []*workspace
	for range 2 {
		w := newWorkspace(t, provider(space), config("1, 2, 3, 4, 5, 6"))
		workspaces = append(workspaces, w)
		applies = append(applies, w.Apply("-parallelism=2"))
	}
	failed := 0
	for i, apply := range applies {
		if apply.Wait() == 0 {
			continue
		}
		failed++
		for _, d := range apply.Diagnostics() {
			if d.Severity == "error" && d.Summary != "Deadlock" {
				t.Errorf("run %d failed by %v", i, d)
			}
		}
	}
	t.Logf("%d of the two gave up", failed)
	if failed == 2 {
		t.Error("neither run has got its locks")
	}
	for _, w := range workspaces {
		w.Apply("-parallelism=2").Succeed()
	}
}
