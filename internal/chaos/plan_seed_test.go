// SPDX-License-Identifier: MPL-2.0

//go:build unix

package chaos

import (
	"fmt"
	"testing"
)

// One seed gives one schedule of faults for each worker, another seed another.
func TestSeedGivesTheSchedule(t *testing.T) {
	t.Parallel()
	locks := []*lock{{id: "one"}, {id: readersLock}, {id: "slots", slots: 2}}
	schedule := func(seed uint64, worker string) string {
		var text string
		for _, k := range []kind{steadyRuns, roughRuns, secureRuns, processRuns} {
			plan := newPlan(seed, worker, k, locks)
			for range 500 {
				text += fmt.Sprintln(plan.next())
			}
		}
		return text
	}
	first := schedule(1, "a")
	if schedule(1, "a") != first {
		t.Error("the same seed gives another schedule")
	}
	for name, other := range map[string]string{"seed": schedule(2, "a"), "worker": schedule(1, "b")} {
		if other == first {
			t.Errorf("another %s gives the same schedule", name)
		}
	}
}
