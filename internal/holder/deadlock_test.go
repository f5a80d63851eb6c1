// SPDX-License-Identifier: MPL-2.0

package holder

import (
	"errors"
	"strings"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// A run that has closed a deadlock gives up all that it waits for, and waits for nothing
// from then on, so that it ends soon. One that goes on without the lock gives up only that.
func TestDeadlockEndsTheOtherWaits(t *testing.T) {
	t.Parallel()
	for name, optional := range map[string]bool{"required": false, "optional": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			space := zktest.NewSpace(t)
			runs := map[string]*Local{}
			for _, id := range []string{"a", "b", "c"} {
				r := self(t)
				r.ID = strings.Repeat(id, len(r.ID))
				runs[id] = newLocal(t, r)
			}
			req := func(lockID string) Request { return request(t, space, lockID, locker.NoLimit) }
			// Each holds the lock of its name.
			grants := map[string]Grant{}
			for id, l := range runs {
				grants[id] = take(t, l, req(id))
			}
			waiting := begin(t, runs["a"], req("b"))
			space.WaitChildren(dir("b"), 2)
			besides := begin(t, runs["b"], req("c"))
			space.WaitChildren(dir("c"), 2)
			last := req("a")
			last.Optional = optional
			_, err := runs["b"].Acquire(t.Context(), last)
			var deadlock *locker.DeadlockError
			if !errors.As(err, &deadlock) || deadlock.LockID != "a" || len(deadlock.Circle) != 2 {
				t.Fatalf("the last wait ended by %v", err)
			}
			space.WaitChildren(dir("a"), 1)
			if optional {
				if err := runs["c"].Release(t.Context(), znodeOf(req("c"), grants["c"])); err != nil {
					t.Fatal(err)
				}
				if r := await(t, "the other lock", besides); r.err != nil {
					t.Errorf("the other wait ended by %v", r.err)
				}
			} else {
				if r := await(t, "the end of the other wait", besides); !errors.Is(r.err, locker.ErrDeadlock) {
					t.Errorf("the other wait ended by %v", r.err)
				}
				space.WaitChildren(dir("c"), 1)
				take(t, runs["b"], req("free"))
				if _, err := runs["b"].Acquire(t.Context(), req("c")); !errors.Is(err, locker.ErrDeadlock) {
					t.Errorf("another wait ended by %v", err)
				}
			}
			if err := runs["b"].Close(); err != nil {
				t.Error(err)
			}
			if r := await(t, "the lock", waiting); r.err != nil {
				t.Errorf("the first one ended by %v", r.err)
			}
		})
	}
}
