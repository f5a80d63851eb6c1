// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// greedy is a run that takes several locks.
type greedy struct {
	*client
	root string

	mu    sync.Mutex
	asked []string // directories
}

func newGreedy(t testing.TB, addr, root, owner string) *greedy {
	t.Helper()
	g := &greedy{client: newClient(t, addr), root: root}
	g.data.Run, g.data.Owner = newRunID(), owner
	return g
}

// wants is a request of the run's, which it has asked for from now on.
func (g *greedy) wants(lock string, want Request) Request {
	req := g.request(g.root + "/" + lock)
	req.LockID, req.Mode, req.Slots = lock, want.Mode, want.Slots
	req.Others = func() []string {
		g.mu.Lock()
		defer g.mu.Unlock()
		return slices.DeleteFunc(slices.Clone(g.asked), func(dir string) bool { return dir == req.Dir })
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked = append(g.asked, req.Dir)
	return req
}

// circles are runs, in words such as "a", "b" for one that holds a and wants b, of which the
// last closes a deadlock.
func TestDeadlock(t *testing.T) {
	t.Parallel()
	writer := func(int) Request { return exclusive }
	for name, test := range map[string]struct {
		runs  int
		holds func(i int) Request // the lock i
		wants func(i int) Request // the lock i+1
	}{
		"of two":          {2, writer, writer},
		"of three":        {3, writer, writer},
		"of five":         {5, writer, writer},
		"behind readers":  {2, func(int) Request { return shared }, writer},
		"of readers":      {3, writer, func(int) Request { return shared }},
		"of semaphores":   {3, func(int) Request { return semaphore(1) }, func(int) Request { return semaphore(1) }},
		"in two layouts":  {2, func(int) Request { return curator }, writer},
		"of a semaphore":  {2, func(i int) Request { return []Request{semaphore(1), exclusive}[i] }, func(i int) Request { return []Request{exclusive, semaphore(1)}[i] }},
		"of a large root": {2, writer, writer},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			space := zktest.NewSpace(t)
			root := space.Path(DefaultRoot)
			space.Create(DefaultRoot, nil, zktest.Persistent)
			if strings.HasSuffix(name, "root") {
				for i := range 100 {
					space.Create(fmt.Sprintf("%s/lock%d", DefaultRoot, i), nil, zktest.Persistent)
				}
				// One that nobody may read is left out.
				if _, err := space.Conn().SetACL(root+"/lock0", zk.WorldACL(zk.PermAll&^zk.PermRead), -1); err != nil {
					t.Fatal(err)
				}
			}
			var runs []*greedy
			var held []*Lock
			lock := func(i int) string { return fmt.Sprintf("l%d", i%test.runs) }
			for i := range test.runs {
				runs = append(runs, newGreedy(t, space.Addr(), root, fmt.Sprintf("run %d", i)))
				held = append(held, runs[i].acquire(runs[i].wants(lock(i), test.holds(i))))
			}
			var waiting []*pending
			for i, run := range runs[:test.runs-1] {
				waiting = append(waiting, run.queue(run.wants(lock(i+1), test.wants(i))))
			}
			last := runs[test.runs-1]
			err := last.start(last.wants(lock(test.runs), test.wants(test.runs-1))).refused()
			var deadlock *DeadlockError
			if !errors.As(err, &deadlock) || !errors.Is(err, ErrDeadlock) || deadlock.LockID != lock(0) || len(deadlock.Circle) != test.runs {
				t.Fatalf("the last one ended by %v", err)
			}
			for i, line := range deadlock.Tell() {
				who := func(i int) string {
					if i%test.runs == test.runs-1 {
						return "this run"
					}
					return fmt.Sprintf("run %d", i%test.runs)
				}
				if want := fmt.Sprintf("%s waits for lock %q, which %s holds", who(i+test.runs-1), lock(i), who(i)); line != want {
					t.Errorf("it tells %q, want %q", line, want)
				}
			}
			// The others get what they wait for, one after the other.
			for i := test.runs - 1; i >= 0; i-- {
				if i < test.runs-1 {
					release(t, waiting[i].get())
				}
				release(t, held[i])
			}
			if strings.HasSuffix(name, "root") {
				for i := range 100 {
					space.Delete(fmt.Sprintf("%s/lock%d", DefaultRoot, i))
				}
			}
		})
	}
}

// A run without another lock asks nothing for the search, and one with others asks for each
// of them who waits there: nobody, so there it ends. Who does not wait asks nothing either.
func TestRequestsOfTheSearchForADeadlock(t *testing.T) {
	t.Parallel()
	queueing := []zktest.Op{zktest.OpMulti, zktest.OpCreate, zktest.OpChildren, zktest.OpGetData, zktest.OpGetData}
	for name, test := range map[string]struct {
		others int
		once   bool
		more   []zktest.Op
	}{
		"no other lock":    {0, false, nil},
		"one other":        {1, false, []zktest.Op{zktest.OpChildren}},
		"five others":      {5, false, slices.Repeat([]zktest.Op{zktest.OpChildren}, 5)},
		"without any wait": {5, true, []zktest.Op{zktest.OpGetData, zktest.OpDelete, zktest.OpGetACL}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			space := zktest.NewSpace(t)
			root := space.Path(DefaultRoot)
			holding := newClient(t, space.Addr()).lock(root + "/busy")
			proxy := zktest.NewProxy(t, space.Server())
			run := newGreedy(t, proxy.Addr(), root, "")
			var held []*Lock
			for i := range test.others {
				held = append(held, run.acquire(run.wants(fmt.Sprint("other", i), exclusive)))
			}
			run.session()
			req := run.wants("busy", exclusive)
			requests := record(proxy)
			want := slices.Concat(queueing, test.more)
			if test.once {
				req.Wait = 0
				_ = run.start(req).refused()
				want = slices.Delete(want, 4, 5) // nothing is watched
			} else {
				lists := 0
				searched := proxy.Catch(zktest.Reply, func(p zktest.Packet) bool {
					if p.Op == zktest.OpChildren {
						lists++
					}
					return lists > test.others
				})
				searched.Pass()
				waiting := run.queue(req)
				searched.Wait()
				for len(held) > 0 { // which comes after the search
					release(t, held[0])
					held = held[1:]
					want = append(want, zktest.OpMulti)
				}
				defer func() { release(t, waiting.get()) }()
			}
			got := requests.take()
			// A lock that is held comes to be watched.
			for i := 0; i < test.others && len(got) > len(want); i++ {
				if at := slices.Index(got, zktest.OpGetData); at >= 0 {
					got = slices.Delete(got, at, at+1)
				}
			}
			if !sameRequests(got, want...) {
				t.Errorf("it took %v, want %v", got, want)
			}
			for _, l := range held {
				release(t, l)
			}
			release(t, holding)
		})
	}
}

// Runs that take locks in a common order never see a deadlock, and those that do not all
// come to an end: who waits gets the lock, or is told of a deadlock.
func TestRandomRunsAndDeadlocks(t *testing.T) {
	t.Parallel()
	const schedules, side, locks, runs = 1000, 8, 4, 3
	seed := newSeed(t)
	space := zktest.NewSpace(t)
	space.Create(DefaultRoot, nil, zktest.Persistent)
	var mu sync.Mutex
	alarms := 0
	var all sync.WaitGroup
	for worker := range side {
		root := fmt.Sprintf("%s/%d", space.Path(DefaultRoot), worker)
		space.Create(fmt.Sprintf("%s/%d", DefaultRoot, worker), nil, zktest.Persistent)
		var clients []*client
		for range runs {
			clients = append(clients, newClient(t, space.Addr()))
		}
		all.Go(func() {
			for n := worker; n < schedules; n += side {
				ordered := n%4 > 0
				var each sync.WaitGroup
				for i, c := range clients {
					r := seeded(seed, uint64(n*runs+i)) //nolint:gosec // small
					each.Go(func() {
						err := greed(t, &greedy{client: c, root: root}, r, locks, ordered)
						var deadlock *DeadlockError
						switch {
						case err == nil:
						case errors.As(err, &deadlock) && !ordered:
							mu.Lock()
							defer mu.Unlock()
							alarms++
						default:
							t.Errorf("schedule %d: %v", n, err)
						}
					})
				}
				each.Wait()
			}
		})
	}
	all.Wait()
	t.Logf("%d deadlocks in %d schedules", alarms, schedules/4)
	if alarms == 0 {
		t.Error("there was no deadlock at all")
	}
	for worker := range side {
		if dir := fmt.Sprintf("%s/%d", DefaultRoot, worker); space.Exists(dir) {
			space.Delete(dir)
		}
	}
}

// greed takes some locks, one after the other, and then lets go of them.
func greed(t *testing.T, g *greedy, r *rand.Rand, locks int, ordered bool) (err error) {
	g.data.Run = newRunID()
	order := r.Perm(locks)[:2+r.IntN(locks-1)]
	if ordered {
		slices.Sort(order)
	}
	var held []*Lock
	for _, i := range order {
		want := []Request{exclusive, shared}[r.IntN(2)]
		if i == 0 {
			want = semaphore(2)
		}
		var l *Lock
		if l, err = Acquire(bounded(t), g.sessions, g.wants(fmt.Sprint("l", i), want)); err != nil {
			break
		}
		held = append(held, l)
	}
	for _, l := range held {
		err = errors.Join(err, l.Release(bounded(t)))
	}
	return err
}
