// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"errors"
	"slices"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

func TestReadersShare(t *testing.T) {
	t.Parallel()
	a := newArena(t)
	var readers []*Lock
	for range 4 {
		readers = append(readers, a.player().takes(shared))
	}
	a.heldBy(0, readers...)
	for _, entry := range a.inspect(0).Holders {
		if entry.Contender.Mode != Shared {
			t.Errorf("%s holds the lock %s, want %s", entry.Contender.Name, entry.Contender.Mode, Shared)
		}
	}
	a.give(readers...)
}

// A writer gets in when the last of the readers before it leaves, in whatever
// order they do, and looks only when the one that it watches has left.
func TestWriterWaitsForAllReaders(t *testing.T) {
	t.Parallel()
	for _, order := range permutations(3) {
		a := newArena(t)
		var readers []*Lock
		for range order {
			readers = append(readers, a.player().takes(shared))
		}
		writer := a.player().waits(exclusive)
		watched, gone := len(readers)-1, map[int]bool{}
		for _, leaver := range order[:len(order)-1] {
			a.give(readers[leaver])
			gone[leaver] = true
			if leaver != watched {
				writer.undisturbed()
				continue
			}
			for gone[watched] {
				watched--
			}
			if w := writer.looks(); w.Next.Znode != readers[watched].Znode() {
				t.Errorf("order %v: after reader %d the writer waits for %s, want reader %d", order, leaver, w.Next.Znode, watched)
			}
		}
		a.give(readers[order[len(order)-1]])
		a.give(writer.get())
	}
}

func permutations(n int) [][]int {
	if n == 0 {
		return [][]int{nil}
	}
	var all [][]int
	for _, p := range permutations(n - 1) {
		for i := range n {
			all = append(all, slices.Insert(slices.Clone(p), i, n-1))
		}
	}
	return all
}

// Readers that came after a waiting writer wait for it, so that it is its turn
// some day.
func TestReadersDoNotPassAWaitingWriter(t *testing.T) {
	t.Parallel()
	a := newArena(t)
	first := a.player().takes(shared)
	writer := a.player().waits(exclusive)
	writersNode := a.inspect(0).Waiters[0].Znode
	var late []*pending
	for range 3 {
		p := a.player().start(a.player().wanting(shared))
		if w := p.looks(); w.Next.Znode != writersNode {
			t.Errorf("a late reader waits for %s, want the writer %s", w.Next.Znode, writersNode)
		}
		late = append(late, p)
	}
	a.heldBy(0, first)
	writer.blocked()

	a.give(first)
	lock := writer.get()
	for _, reader := range late {
		reader.looks() // once, as the writer says since when it holds the lock
		reader.undisturbed()
	}
	a.heldBy(0, lock)

	a.give(lock)
	for _, reader := range late {
		a.give(reader.get())
	}
}

// A writer that gives up lets in the readers that waited for nothing else.
func TestReadersGetInWhenTheWaitingWriterLeaves(t *testing.T) {
	t.Parallel()
	a := newArena(t)
	first := a.player().takes(shared)
	writer := a.player().waits(exclusive)
	second := a.player().waits(shared)
	writer.leave()
	lock := second.get()
	a.heldBy(0, first, lock)
	a.give(first, lock)
}

// The error tells a writer all the readers that it would have to wait for, and
// a reader its place behind the writer.
func TestBusyErrorNamesAllReaders(t *testing.T) {
	t.Parallel()
	a := newArena(t)
	one, two := a.player().takes(shared), a.player().takes(shared)
	writer := a.player().waits(exclusive)
	for _, want := range []Request{exclusive, shared} {
		var busy *BusyError
		if err := a.player().tries(want); !errors.As(err, &busy) {
			t.Fatalf("a try ends with %v, want a BusyError", err)
		}
		if len(busy.Holders) != 2 || busy.Holders[0].Znode != one.Znode() || busy.Holders[1].Znode != two.Znode() || busy.Place != 2 {
			t.Errorf("a try for an %s lock is told of place %d behind %+v, want place 2 behind both readers", want.Mode, busy.Place, busy.Holders)
		}
	}
	a.give(one, two)
	a.give(writer.get())
}

func TestDurableReadersShare(t *testing.T) {
	t.Parallel()
	a := newArena(t)
	readers := []*Lock{
		a.player().takes(durable(shared)),
		a.player().takes(shared),
		a.player().takes(durable(shared)),
	}
	a.heldBy(0, readers...)
	writer := a.player().waits(durable(exclusive))
	late := a.player().waits(durable(shared))
	for _, reader := range readers {
		writer.blocked()
		a.give(reader)
	}
	lock := writer.get()
	late.blocked()
	a.give(lock)
	a.give(late.get())
}

// Those before a durable contender did not wait for the znode that its promotion
// replaces, nor do readers behind a reader: to give way to them would be to wait for
// those who hold the lock together with it.
func TestPromotionDoesNotGiveWayToFellowHolders(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name           string
		want           Request
		before, behind string // of the gem
	}{
		{"readers", shared, "sh", "sh"},
		{"slots", semaphore(2), "sem", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a := newArena(t)
			proxy := zktest.NewProxy(t, a.Server())
			gems := []string{a.stranger(test.before)}
			caught := proxy.Catch(zktest.Request, promotion)
			us := a.playerAt(proxy.Addr())
			taking := us.start(us.wanting(durable(test.want)))
			caught.Wait()
			before := a.Children(testDir)
			if test.behind != "" {
				gems = append(gems, a.stranger(test.behind))
			}
			caught.Pass()
			lock := taking.get()
			if !slices.Contains(before, lock.node.name) {
				t.Errorf("%s holds the lock, which gave way as none of %q", lock.node.name, before)
			}
			a.leave(gems...)
			a.give(lock)
		})
	}
}

// Of two that leave at the same time, each finds the other's znode in the
// directory; the last one removes it nevertheless.
func TestTheLastOfThoseThatLeaveTogetherRemovesTheDirectory(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]Request{"readers": shared, "slots": semaphore(2)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newArena(t)
			proxy := zktest.NewProxy(t, a.Server())
			one := a.player().takes(want)
			two := a.playerAt(proxy.Addr()).takes(want)
			caught := proxy.Catch(zktest.Request, func(p zktest.Packet) bool { return p.Op == zktest.OpDelete })
			left := make(chan error, 1)
			go func() { left <- two.Release(bounded(t)) }()
			caught.Wait() // The transaction that would also remove the directory has failed.
			a.give(one)
			caught.Pass()
			if err := <-left; err != nil {
				t.Error(err)
			}
			a.WaitGone(testDir)
		})
	}
}
