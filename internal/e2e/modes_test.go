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

// Of three runs that share two slots, two work at the same time, and the third
// begins when either of them ends, whichever it is.
func TestTwoOfThreeRunsHoldASlot(t *testing.T) {
	t.Parallel()
	const dir = "/_zksemaphore/e2e"
	for leaver := range 2 {
		t.Run(fmt.Sprintf("run %d ends first", leaver+1), func(t *testing.T) {
			t.Parallel()
			space := zktest.NewSpace(t)
			var gates [3]*testkit.Gate
			var applies [3]*testkit.Command
			for i := range applies {
				gates[i] = testkit.NewGate(t)
				w := newWorkspace(t, provider(space), lock("a", "slots = 2", "lockwait = -1"), guarded("work", "a", `"1"`, gates[i].Work()))
				applies[i] = w.Apply()
				space.WaitChildren(dir, i+1)
			}
			gates[0].AwaitBegun()
			gates[1].AwaitBegun()
			// Whoever is blocked watches the holders.
			holder := space.Path(dir) + "/sem-"
			testkit.Eventually(t, "the third run waits or works", func() bool {
				watches, err := space.Server().FourLetter(t.Context(), "wchp")
				if err != nil {
					t.Fatal(err)
				}
				return gates[2].HasBegun() || strings.Contains(watches, holder)
			})
			if gates[2].HasBegun() {
				t.Fatal("a third run works while both slots are held")
			}

			gates[leaver].End()
			applies[leaver].Succeed()
			gates[2].AwaitBegun()
			other := 1 - leaver
			if !applies[other].Running() {
				t.Error("the other holder has ended")
			}
			space.WaitChildren(dir, 2)
			for _, i := range []int{other, 2} {
				gates[i].End()
				applies[i].Succeed()
			}
			space.WaitGone(dir)
		})
	}
}
