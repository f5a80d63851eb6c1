// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// takeAll takes the lock for so many runs.
func (a *arena) takeAll(n int, want Request) []*Lock {
	a.t.Helper()
	locks := make([]*Lock, n)
	for i := range locks {
		locks[i] = a.player().takes(want)
	}
	return locks
}

// As many hold the semaphore at once as there are slots, and the next gets in when
// any of them leaves.
func TestSlotsLetTheNextInWhenAnyHolderLeaves(t *testing.T) {
	t.Parallel()
	for _, want := range []Request{semaphore(1), semaphore(2), semaphore(3), durable(semaphore(3))} {
		for leaver := range want.Slots {
			t.Run(fmt.Sprintf("holder %d of %d durable %t", leaver+1, want.Slots, want.Durable), func(t *testing.T) {
				t.Parallel()
				a := newArena(t)
				holders := a.takeAll(want.Slots, want)
				next := a.player().waits(want)
				a.heldBy(want.Slots, holders...)
				next.undisturbed()

				a.give(holders[leaver])
				lock := next.get()
				holders = append(append(holders[:leaver:leaver], holders[leaver+1:]...), lock)
				a.heldBy(want.Slots, holders...)
				a.give(holders...)
			})
		}
	}
}

// Those who wait for a slot get in one for each that leaves, in the order in which
// they came, whoever leaves.
func TestSlotsAreGivenInOrder(t *testing.T) {
	t.Parallel()
	const slots, waiters = 3, 5
	for first := range slots {
		t.Run(fmt.Sprintf("leaver %d", first), func(t *testing.T) {
			t.Parallel()
			a := newArena(t)
			holders := a.takeAll(slots, semaphore(slots))
			var queue []*pending
			for range waiters {
				queue = append(queue, a.player().waits(semaphore(slots)))
			}
			for i, next := range queue {
				leaver := (first + i) % slots
				a.give(holders[leaver])
				holders = append(append(holders[:leaver:leaver], holders[leaver+1:]...), next.get())
				a.heldBy(slots, holders...)
				for _, later := range queue[i+1:] {
					later.blocked()
				}
			}
			a.give(holders...)
		})
	}
}

// One who gives up waiting leaves the others' places as they are.
func TestSlotsOfAWaiterThatLeaves(t *testing.T) {
	t.Parallel()
	a := newArena(t)
	holders := a.takeAll(2, semaphore(2))
	var queue [3]*pending
	for i := range queue {
		queue[i] = a.player().waits(semaphore(2))
	}
	queue[1].leave()
	a.give(holders[1])
	one := queue[0].get()
	queue[2].blocked()
	a.give(holders[0])
	two := queue[2].get()
	a.heldBy(2, one, two)
	a.give(one, two)
}

func TestBusyErrorNamesAllHoldersOfASemaphore(t *testing.T) {
	t.Parallel()
	a := newArena(t)
	holders := a.takeAll(2, semaphore(2))
	waiter := a.player().waits(semaphore(2))
	err := a.player().tries(semaphore(2))
	var busy *BusyError
	if !errors.As(err, &busy) || len(busy.Holders) != 2 || busy.Place != 2 {
		t.Fatalf("a try ends with %v, want place 2 behind two holders", err)
	}
	for _, holder := range holders {
		if !strings.Contains(err.Error(), holder.Znode()) {
			t.Errorf("%q does not name %s", err, holder.Znode())
		}
	}
	a.give(holders...)
	a.give(waiter.get())
}

// Whoever takes the lock for another kind, or another number of slots, is told so
// at once, with both numbers and who said the other, and leaves the queue.
func TestDisagreement(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name         string
		there, comes Request
		otherSlots   int
		says         []string
	}{
		{"more slots", semaphore(2), semaphore(3), 2, []string{"slots = 3 here", "slots = 2 for"}},
		{"fewer slots", semaphore(3), semaphore(2), 3, []string{"slots = 2 here", "slots = 3 for"}},
		{"durable holder", durable(semaphore(3)), semaphore(2), 3, []string{"slots = 2 here", "slots = 3 for"}},
		{"exclusive on a semaphore", semaphore(2), exclusive, 2, []string{"a plain lock, without slots here", "slots = 2 for"}},
		{"shared on a semaphore", semaphore(2), shared, 2, []string{"a plain lock, without slots here", "slots = 2 for"}},
		{"semaphore on an exclusive lock", exclusive, semaphore(2), 0, []string{"slots = 2 here", "a plain lock, without slots for"}},
		{"semaphore on a shared lock", shared, semaphore(2), 0, []string{"slots = 2 here", "a plain lock, without slots for"}},
		{"one slot on an exclusive lock", exclusive, semaphore(1), 0, []string{"slots = 1 here", "a plain lock, without slots for"}},
	} {
		for _, once := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s once %t", test.name, once), func(t *testing.T) {
				t.Parallel()
				a := newArena(t)
				there := a.player().takes(test.there)
				comes := a.player()
				req := comes.wanting(test.comes)
				if once {
					req.Wait = 0
				}
				err := comes.start(req).refused()
				var differ *DisagreeError
				if !errors.As(err, &differ) || !errors.Is(err, ErrDisagree) {
					t.Fatalf("it ends with %v, want a DisagreeError", err)
				}
				if differ.Slots != test.comes.Slots || differ.OtherSlots() != test.otherSlots || differ.Other.Znode != there.Znode() {
					t.Errorf("%d slots here and %d for %s, want %d and %d for %s",
						differ.Slots, differ.OtherSlots(), differ.Other.Znode, test.comes.Slots, test.otherSlots, there.Znode())
				}
				for _, want := range append(test.says, differ.Other.Data.Owner) {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("%q does not say %q", err, want)
					}
				}
				if names := a.Children(testDir); len(names) != 1 {
					t.Errorf("it left %q", names)
				}
				a.give(there)
			})
		}
	}
}

// Other clients do not say how many slots they mean, but their names tell a
// semaphore from a plain lock.
func TestDisagreementWithOtherClients(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, prefix string
		want         Request
		says         string // "": no disagreement
	}{
		{"gem's semaphore beside ours", "sem", semaphore(2), ""},
		{"gem's semaphore and an exclusive lock", "sem", exclusive, "a semaphore for an unnamed client"},
		{"gem's semaphore and a shared lock", "sem", shared, "a semaphore for an unnamed client"},
		{"gem's exclusive lock and a semaphore", "ex", semaphore(2), "a plain lock, without slots for"},
		{"Kazoo's lock and a semaphore", "0123456789abcdef0123456789abcdef__lock__", semaphore(2), "a plain lock, without slots for"},
		{"Curator's lock and a semaphore", "_c_01234567-89ab-cdef-0123-456789abcdef-lock-", semaphore(2), "a plain lock, without slots for"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a := newArena(t)
			other := a.stranger(test.prefix)
			if test.says == "" {
				lock := a.player().takes(test.want)
				a.leave(other)
				a.give(lock)
				return
			}
			if err := a.player().tries(test.want); !errors.Is(err, ErrDisagree) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("it ends with %v, want %q", err, test.says)
			}
			a.leave(other)
			a.removeDir()
		})
	}
}
