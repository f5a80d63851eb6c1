// SPDX-License-Identifier: MPL-2.0

//go:build unix

package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/holder"
	"github.com/clocker/terraform-provider-clocker/internal/run"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

const (
	// sessionTimeout of the runs. Short, as most faults wait for it.
	sessionTimeout = 2 * time.Second
	// tick of the servers: as long as a lease allows for.
	tick = sessionTimeout / 4
	// stuckTime is how long nobody may get a lock, whatever goes wrong. The servers of a
	// loaded machine may need most of it for their elections.
	stuckTime = 2 * time.Minute
	// restTime is that of a run whose holder is just ending.
	restTime = 20 * time.Millisecond
	// serverFaultEvery is how many acquisitions there are for one fault of the servers.
	serverFaultEvery = 150
)

// readersLock is the one that some want to share.
const readersLock = "readers"

// chaos is one test.
type chaos struct {
	t       *testing.T
	seed    uint64
	target  int64 // acquisitions
	ctx     context.Context
	end     context.CancelCauseFunc
	servers *zktest.Ensemble
	space   *zktest.Space
	locks   []*lock

	answering sync.WaitGroup // faults that go on after their step
	history   history
	acquires  atomic.Int64
	steps     atomic.Int64
	progress  chan struct{}

	mu      sync.Mutex
	faults  map[fault]int
	counts  map[string]int
	reports []string
}

// setting is a whole number from the environment.
func setting(t *testing.T, name string, otherwise uint64) uint64 {
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// Many runs take, hold and release locks while everything around them fails.
// However that goes, no two hold a lock that they must not share, each gets it in
// its turn, and nothing is left in the end.
//
// CHAOS_SEED makes the runs do what they did under that seed, and fail in the same
// steps; CHAOS_ACQUISITIONS says how many locks to take in all.
func TestChaos(t *testing.T) {
	c := newChaos(t, setting(t, "CHAOS_SEED", rand.Uint64()), setting(t, "CHAOS_ACQUISITIONS", 400)) //nolint:gosec // a seed
	c.t.Logf("CHAOS_SEED=%d CHAOS_ACQUISITIONS=%d", c.seed, c.target)
	begun := time.Now()
	c.play()
	took := time.Since(begun)
	c.tidy()
	c.judge(took)
}

func newChaos(t *testing.T, seed, target uint64) *chaos {
	t.Helper()
	servers := zktest.OwnEnsemble(t, 3, zktest.Options{
		Links: true, TickTime: tick,
		Config: map[string]string{"initLimit": "20", "syncLimit": strconv.Itoa(syncLimit)},
	})
	c := &chaos{
		t: t, seed: seed, target: int64(target), //nolint:gosec // a small number
		servers: servers, space: zktest.NewSpaceOn(t, servers.Servers()...),
		progress: make(chan struct{}, 1), faults: map[fault]int{}, counts: map[string]int{},
	}
	c.ctx, c.end = context.WithCancelCause(t.Context())
	for _, l := range []lock{
		{id: "one", dir: "/_zklocking/one"},
		{id: "two", dir: "/_zklocking/two"},
		{id: readersLock, dir: "/_zklocking/" + readersLock},
		{id: "slots", dir: "/_zksemaphore/slots", slots: 3},
	} {
		l.witness = newWitness(c.report)
		c.locks = append(c.locks, &l)
	}
	c.space.Create("/_zklocking", nil, zktest.Persistent)
	c.space.Create("/_zksemaphore", nil, zktest.Persistent)
	return c
}

// play lets all run until enough locks were taken.
func (c *chaos) play() {
	c.t.Helper()
	var actors []*actor
	var working, foreigners, server sync.WaitGroup
	employ := func(k kind, runs, workers int, begin func(*actor) *life) {
		for i := range runs {
			a := newActor(c, fmt.Sprintf("%s-%d", k.name, i+1), begin)
			if k.secure {
				a.doors = newDoors(c, a.links)
			}
			actors = append(actors, a)
			for j := range workers {
				plan := newPlan(c.seed, fmt.Sprintf("%s/%d", a.name, j+1), k, c.locks)
				working.Go(func() {
					for c.goesOn() {
						a.step(plan.next())
					}
				})
			}
		}
	}
	server.Go(c.disturbServers)
	employ(steadyRuns, 2, 2, beginLocal)
	employ(roughRuns, 2, 2, beginLocal)
	employ(secureRuns, 1, 2, beginLocal)
	employ(processRuns, 2, 1, beginProcess)
	for _, style := range styles {
		conn := c.space.NewSession(foreignTimeout)
		foreigners.Go(func() { c.foreign(conn, style) })
	}
	working.Wait()
	c.end(errDone)
	foreigners.Wait()
	server.Wait()
	c.answering.Wait()
	for _, a := range actors {
		l := a.current()
		l.end()
		if err := l.holder.Close(); err != nil && !errors.As(err, new(*holder.LostError)) {
			c.report("%s: close: %v", a.name, err)
		}
		if l.process != nil {
			l.process.kill()
		}
	}
}

var (
	errDone     = errors.New("enough locks were taken")
	errReported = errors.New("something went wrong")
)

func (c *chaos) goesOn() bool { return c.ctx.Err() == nil && c.acquires.Load() < c.target }

// beginLocal begins a run whose holder is in this process.
func beginLocal(*actor) *life {
	l := newLife()
	l.holder = holder.NewLocal(
		anotherRun(),
		func(loss holder.Loss, _ bool) { l.lose(loss.Znode) })
	return l
}

func (c *chaos) ensemble(addrs []string) zookeeper.Config {
	return zookeeper.Config{Servers: addrs, SessionTimeout: sessionTimeout, ConnectTimeout: stuckTime}
}

func (c *chaos) acquired() {
	c.acquires.Add(1)
	select {
	case c.progress <- struct{}{}:
	default:
	}
}

func (c *chaos) fault(f fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults[f]++
}

func (c *chaos) count(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[what]++
}

// report takes note of what must not be, and ends the play.
func (c *chaos) report(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reports = append(c.reports, fmt.Sprintf(format, args...))
	c.end(errReported)
}

// fail ends the test at once, for want of means.
func (c *chaos) fail(err error) {
	c.end(err)
	panic(err)
}

// anotherRun is a run of its own that lives as long as this process.
func anotherRun() run.Run {
	r, err := run.Self()
	if err != nil {
		panic(err)
	}
	r.ID = fmt.Sprintf("%016x", rand.Uint64()) //nolint:gosec // an id
	return r
}
