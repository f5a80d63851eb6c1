// SPDX-License-Identifier: MPL-2.0

//go:build unix

package e2e

import (
	"slices"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/testkit"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// The next plan shows that the lock will be taken again, and the next apply takes
// it before the resource that it guards changes.
func TestNextRunTakesTheLockAgain(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]struct {
		plan       []string // further arguments of plan
		beforeHeld bool     // what the plan believes of the state
		apply      []string // further arguments of apply
	}{
		"refreshed":         {},
		"without a refresh": {plan: []string{"-refresh=false"}, beforeHeld: true, apply: []string{"-refresh=false"}},
		"from a saved plan": {apply: []string{testkit.PlanFile}},
		"from a saved plan without a refresh": {
			plan: []string{"-refresh=false"}, beforeHeld: true, apply: []string{testkit.PlanFile},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			space := zktest.NewSpace(t)
			gate := testkit.NewGate(t)
			work := func(trigger string) []string {
				return []string{provider(space), lock("a"), guarded("work", "a", trigger, gate.Work())}
			}
			w := newQuickWorkspace(t, work(`"first"`)...)
			gate.End()
			w.Apply().Succeed()
			space.WaitGone(lockDir)

			// Alone, and beside a change of what it guards.
			for _, trigger := range []string{`"first"`, `"second"`} {
				w.configure(work(trigger)...)
				planned := w.Plan("clocker_lock.a", run.plan...)
				if !slices.Equal(planned.Actions, []string{"update"}) {
					t.Errorf("the plan wants to %q the lock, want an update in place", planned.Actions)
				}
				if planned.Before["held"] != run.beforeHeld || planned.After["held"] != true {
					t.Errorf("the plan shows held %v -> %v, want %t -> true", planned.Before["held"], planned.After["held"], run.beforeHeld)
				}
			}
			if tree := space.Tree(); len(tree) > 1 {
				t.Errorf("the plan has left %q", tree)
			}

			gate.Again()
			apply := w.Apply(run.apply...)
			gate.AwaitBegun()
			w.AwaitNoProvider()
			held := space.WaitChildren(lockDir, 1)
			gate.End()
			apply.Succeed()
			space.WaitGone(lockDir)
			if state := w.state("clocker_lock.a"); state["znode"] != space.Path(lockDir+"/"+held[0]) || state["held"] != true {
				t.Errorf("the state is %v, want the znode %s", state, held[0])
			}
		})
	}
}

// The next run waits for the lock, as the first one would have, and the guarded
// resource stays as it is until then.
func TestNextRunWaitsForTheLock(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	gate := testkit.NewGate(t)
	work := func(trigger string) []string {
		return []string{provider(space), lock("a", "lockwait = -1"), guarded("work", "a", trigger, gate.Work())}
	}
	w := newQuickWorkspace(t, work(`"first"`)...)
	gate.End()
	w.Apply().Succeed()
	gate.Again()

	w.configure(work(`"second"`)...)
	space.WaitGone(lockDir)
	other := holdForeign(space)
	apply := w.Apply()
	space.WaitChildren(lockDir, 2)
	if gate.HasBegun() {
		t.Error("the guarded resource changes while another holds the lock")
	}
	space.Delete(lockDir + "/" + other)
	gate.AwaitBegun()
	gate.End()
	apply.Succeed()
}

// A token grows from run to run, though the lock's directory was deleted.
func TestFencingTokenGrows(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	w := newQuickWorkspace(t, provider(space), lock("a"))
	last := float64(0)
	for range 3 {
		w.Apply().Succeed()
		space.WaitGone(lockDir)
		token, ok := w.state("clocker_lock.a")["fencing_token"].(float64)
		if !ok || token <= last {
			t.Fatalf("fencing_token is %v after %v", token, last)
		}
		last = token
	}
}

// state is what the state says of a resource.
func (w *workspace) state(address string) map[string]any {
	w.T.Helper()
	show := w.Start("show", "-json")
	show.Succeed()
	var state struct {
		Values struct {
			Root struct {
				Resources []struct {
					Address string         `json:"address"`
					Values  map[string]any `json:"values"`
				} `json:"resources"`
			} `json:"root_module"`
		} `json:"values"`
	}
	show.Decode(&state)
	for _, r := range state.Values.Root.Resources {
		if r.Address == address {
			return r.Values
		}
	}
	w.T.Fatalf("the state does not know %s", address)
	return nil
}
