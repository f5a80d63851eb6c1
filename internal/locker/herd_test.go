// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"fmt"
	"maps"
	"sync"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// tally counts the requests that pass the proxy.
type tally struct {
	mu    sync.Mutex
	count map[zktest.Op]int
}

// herded are the requests that locks are made of: the others are pings, and those
// of the sessions.
var herded = []zktest.Op{
	zktest.OpCreate, zktest.OpDelete, zktest.OpExists, zktest.OpGetData,
	zktest.OpSetData, zktest.OpGetACL, zktest.OpChildren, zktest.OpMulti,
}

func newTally(proxy *zktest.Proxy) *tally {
	c := &tally{count: map[zktest.Op]int{}}
	proxy.Catch(zktest.Request, func(p zktest.Packet) bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.count[p.Op]++
		return false
	})
	return c
}

// since tells what has been asked since the last call.
func (c *tally) since() map[zktest.Op]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	asked := map[zktest.Op]int{}
	for _, op := range herded {
		if n := c.count[op]; n > 0 {
			asked[op] = n
			delete(c.count, op)
		}
	}
	return asked
}

// expect fails the test if anything else has been asked. Whoever has come to hold a lock
// watches it from a moment later on; holders is how many of those reads there may be
// besides.
func expect(t *testing.T, what string, asked, want map[zktest.Op]int, holders int) {
	t.Helper()
	for range holders {
		if asked[zktest.OpGetData] > want[zktest.OpGetData] {
			asked[zktest.OpGetData]--
		}
	}
	if asked[zktest.OpGetData] == 0 {
		delete(asked, zktest.OpGetData)
	}
	if !maps.Equal(asked, want) {
		t.Errorf("%s took %v, want %v", what, asked, want)
	}
}

// herd lets n runs queue for the lock, one after the other, through the proxy, and
// returns when all of them are blocked. A few of them share each session.
func (a *arena) herd(proxy *zktest.Proxy, n int, wants func(int) Request) []*pending {
	a.t.Helper()
	const sessions = 8
	var players [sessions]*player
	for i := range players {
		players[i] = a.playerAt(proxy.Addr())
	}
	queue := make([]*pending, n)
	for i := range queue {
		p := players[i%sessions]
		p.data.Run = newRunID()
		queue[i] = p.waits(wants(i))
	}
	return queue
}

// A lock is handed on by the same few requests however many wait for it. The next one is
// woken, and looks once; and so is the one behind it, when the znode that it watches
// says since when it is held.
func TestHandOverWakesOneOfTheHerd(t *testing.T) {
	t.Parallel()
	for _, waiters := range []int{20, 200} {
		t.Run(fmt.Sprint(waiters), func(t *testing.T) {
			t.Parallel()
			a := newArena(t)
			proxy := zktest.NewProxy(t, a.Server())
			tally := newTally(proxy)
			holder := a.player().takes(exclusive)
			queue := a.herd(proxy, waiters, func(int) Request { return exclusive })

			// To join: one request that finds the directory there, one to join,
			// one look, and two watches, over ours and the one in front.
			join := map[zktest.Op]int{zktest.OpMulti: waiters, zktest.OpCreate: waiters, zktest.OpChildren: waiters, zktest.OpGetData: 2 * waiters}
			if asked := tally.since(); !maps.Equal(asked, join) {
				t.Errorf("%d have joined with %v, want %v", waiters, asked, join)
			}
			a.give(holder)
			holder = queue[0].get()
			queue[1].looks()
			tally.since()
			for i, next := range queue[1:] {
				a.give(holder)
				holder = next.get()
				// One to leave, and one for the directory; the look of the one that is
				// woken, and its question to a quorum.
				want := map[zktest.Op]int{zktest.OpDelete: 1, zktest.OpGetACL: 1, zktest.OpChildren: 1, zktest.OpSetData: 1}
				if behind := queue[i+2:]; len(behind) > 0 {
					if w := behind[0].looks(); w.Place != 1 || w.Next.Data.HeldSince.IsZero() {
						t.Errorf("the next one is at place %d behind %+v", w.Place, w.Next)
					}
					want[zktest.OpChildren]++
					want[zktest.OpGetData] = 1
				}
				if expect(t, fmt.Sprintf("hand-over %d of %d", i+2, waiters), tally.since(), want, 2); t.Failed() {
					t.FailNow()
				}
			}
			a.give(holder)
		})
	}
}

// The release of a writer lets in all readers behind it, and nobody else looks.
func TestReleaseOfAWriterWakesTheReadersBehindIt(t *testing.T) {
	t.Parallel()
	for _, readers := range []int{10, 100} {
		t.Run(fmt.Sprint(readers), func(t *testing.T) {
			t.Parallel()
			a := newArena(t)
			proxy := zktest.NewProxy(t, a.Server())
			tally := newTally(proxy)
			writer := a.player().takes(exclusive)
			// The readers, a second writer, and as many readers behind that.
			queue := a.herd(proxy, 2*readers+1, func(i int) Request {
				if i == readers {
					return exclusive
				}
				return shared
			})
			tally.since()
			a.give(writer)
			var locks []*Lock
			for _, reader := range queue[:readers] {
				locks = append(locks, reader.get())
			}
			queue[readers].looks() // the second writer, when the last reader says since when it holds the lock
			want := map[zktest.Op]int{zktest.OpChildren: readers + 1, zktest.OpSetData: readers, zktest.OpGetData: 1}
			expect(t, fmt.Sprintf("to let %d readers in", readers), tally.since(), want, readers)
			for _, later := range queue[readers:] {
				later.undisturbed()
			}

			// The last of them is the one that the writer watches.
			a.give(locks...)
			second := queue[readers].get()
			for _, reader := range queue[readers+1:] {
				reader.looks()
			}
			tally.since()
			a.give(second)
			locks = nil
			for _, reader := range queue[readers+1:] {
				locks = append(locks, reader.get())
			}
			want = map[zktest.Op]int{zktest.OpDelete: 1, zktest.OpGetACL: 1, zktest.OpChildren: readers, zktest.OpSetData: readers}
			expect(t, fmt.Sprintf("to let %d readers in", readers), tally.since(), want, readers+1)
			a.give(locks...)
		})
	}
}

// Which waiters a release of a slot wakes depends on the number of slots and on
// who leaves, and not on how many wait: those that watch the leaver, of which one
// gets in, and each of the others has a new one to watch; and those that watch the one
// that gets in, as many as there are slots.
func TestReleaseOfASlotWakesFewOfTheHerd(t *testing.T) {
	t.Parallel()
	const slots, handOvers = 3, 10
	for _, waiters := range []int{20, 200} {
		for leaver := range slots {
			t.Run(fmt.Sprintf("%d waiters leaver %d", waiters, leaver), func(t *testing.T) {
				t.Parallel()
				a := newArena(t)
				proxy := zktest.NewProxy(t, a.Server())
				tally := newTally(proxy)
				var holders []*Lock
				for range slots {
					holders = append(holders, a.player().takes(semaphore(slots)))
				}
				queue := a.herd(proxy, waiters, func(int) Request { return semaphore(slots) })
				tally.since()
				want := map[zktest.Op]int{zktest.OpChildren: leaver + 1 + slots, zktest.OpSetData: 1, zktest.OpGetData: leaver + slots}
				for i, next := range queue[:handOvers] {
					a.give(holders[leaver])
					holders = append(append(holders[:leaver:leaver], holders[leaver+1:]...), next.get())
					for _, woken := range queue[i+1 : i+1+leaver] {
						woken.looks()
					}
					for _, woken := range queue[i+1 : i+1+slots] {
						woken.looks()
					}
					asked := tally.since()
					// The leaver's own, if they came through the proxy.
					if asked[zktest.OpGetACL] == asked[zktest.OpDelete] {
						delete(asked, zktest.OpGetACL)
						delete(asked, zktest.OpDelete)
					}
					if expect(t, fmt.Sprintf("hand-over %d", i+1), asked, want, slots); t.Failed() {
						t.FailNow()
					}
				}
				for _, next := range queue[handOvers:] {
					next.leave()
				}
				a.give(holders...)
			})
		}
	}
}
