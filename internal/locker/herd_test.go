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

// A lock is handed on by the same few requests however many wait for it: one waiter
// is woken, and looks once.
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
			tally.since()
			for i, next := range queue[1:] {
				a.give(holder)
				holder = next.get()
				// One to leave, and one for the directory; the look of the one that is
				// woken, and its question to a quorum.
				want := map[zktest.Op]int{zktest.OpDelete: 1, zktest.OpGetACL: 1, zktest.OpChildren: 1, zktest.OpMulti: 1}
				if asked := tally.since(); !maps.Equal(asked, want) {
					t.Fatalf("hand-over %d of %d took %v, want %v", i+2, waiters, asked, want)
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
			want := map[zktest.Op]int{zktest.OpChildren: readers, zktest.OpMulti: readers}
			if asked := tally.since(); !maps.Equal(asked, want) {
				t.Errorf("%d readers were let in by %v, want %v", readers, asked, want)
			}
			for _, later := range queue[readers:] {
				later.undisturbed()
			}

			// The last of them is the one that the writer watches.
			a.give(locks...)
			second := queue[readers].get()
			tally.since()
			a.give(second)
			locks = nil
			for _, reader := range queue[readers+1:] {
				locks = append(locks, reader.get())
			}
			want = map[zktest.Op]int{zktest.OpDelete: 1, zktest.OpGetACL: 1, zktest.OpChildren: readers, zktest.OpMulti: readers}
			if asked := tally.since(); !maps.Equal(asked, want) {
				t.Errorf("%d readers were let in by %v, want %v", readers, asked, want)
			}
			a.give(locks...)
		})
	}
}

// Which waiters a release of a slot wakes depends on the number of slots and on
// who leaves, and not on how many wait: those that watch the leaver, of which one
// gets in, and each of the others has a new one to watch.
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
				want := map[zktest.Op]int{zktest.OpChildren: leaver + 1, zktest.OpMulti: 1}
				if leaver > 0 {
					want[zktest.OpGetData] = leaver
				}
				for i, next := range queue[:handOvers] {
					a.give(holders[leaver])
					holders = append(append(holders[:leaver:leaver], holders[leaver+1:]...), next.get())
					for _, woken := range queue[i+1 : i+1+leaver] {
						woken.looks()
					}
					asked := tally.since()
					// The leaver's own, if they came through the proxy.
					if asked[zktest.OpGetACL] == asked[zktest.OpDelete] {
						delete(asked, zktest.OpGetACL)
						delete(asked, zktest.OpDelete)
					}
					if !maps.Equal(asked, want) {
						t.Fatalf("hand-over %d took %v, want %v", i+1, asked, want)
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
