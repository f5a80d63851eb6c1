//go:build unix

package e2e

import (
	"fmt"
	"strings"
	"testing"

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
			var gates [3]*gate
			var applies [3]*command
			for i := range applies {
				gates[i] = newGate(t)
				w := newWorkspace(t, provider(space), lock("a", "slots = 2", "lockwait = -1"), guarded("work", "a", `"1"`, gates[i].work()))
				applies[i] = w.apply()
				space.WaitChildren(dir, i+1)
			}
			gates[0].awaitBegun()
			gates[1].awaitBegun()
			// Whoever is blocked watches the holders.
			holder := space.Path(dir) + "/sem-"
			eventually(t, "the third run waits or works", func() bool {
				watches, err := space.Server().FourLetter(t.Context(), "wchp")
				if err != nil {
					t.Fatal(err)
				}
				return gates[2].hasBegun() || strings.Contains(watches, holder)
			})
			if gates[2].hasBegun() {
				t.Fatal("a third run works while both slots are held")
			}

			gates[leaver].end()
			applies[leaver].succeed()
			gates[2].awaitBegun()
			other := 1 - leaver
			if !applies[other].running() {
				t.Error("the other holder has ended")
			}
			space.WaitChildren(dir, 2)
			for _, i := range []int{other, 2} {
				gates[i].end()
				applies[i].succeed()
			}
			space.WaitGone(dir)
		})
	}
}
