// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// The members of an ensemble of three, by what they are when it is looked at.
const (
	leader = iota
	follower
	otherFollower
)

// failure is what happens to the servers of an ensemble.
type failure struct {
	with   int   // the member that our clients are connected to
	kills  []int // members; both of two are restarted while it lasts
	freeze bool  // the leader
	beyond bool  // it lasts until a session timeout is over
}

const (
	unhurried = time.Minute     // the session timeout where no failure lasts so long
	hurried   = 2 * time.Second // and where one is to last longer
)

var failures = map[string]failure{
	"the leader is killed, and we are connected to it":         {with: leader, kills: []int{leader}},
	"the leader is killed, and we are connected to a follower": {with: follower, kills: []int{leader}},
	"a follower is killed, and we are connected to it":         {with: follower, kills: []int{follower}},
	"no quorum for less than the timeout":                      {with: follower, kills: []int{leader, follower}},
	"no quorum for longer than the timeout":                    {with: follower, kills: []int{leader, otherFollower}, beyond: true},
	"the leader is frozen for longer than the timeout":         {with: follower, freeze: true, beyond: true},
}

// met are the requests of acts that a failure of servers meets, all at the same time. It
// takes seconds to fail, so only what changes something is here, and the wait. All else
// meets such failures in internal/chaos.
var met = []struct{ act, request string }{
	{"take a free lock without a root", "create all"},
	{"take a free lock in a directory", "create the contender"},
	{"take a durable lock", "promote"},
	{"wait and take", "watch"},
	{"wait and take", "write"},
	{"hold", "check"},
	{"release", "delete all"},
	{"hand over", "delete the contender"},
	{"break a lock", "break"},
}

// meeting is a request that was sent, or answered, when the servers fail.
type meeting struct {
	*stage
	struck

	caught  *zktest.Caught
	ended   chan error
	promise func(struck, error)
}

// Whatever happens to the servers while a client is at whatever, the promises are those
// of TestEachRequestIsStruck.
func TestServersFail(t *testing.T) {
	t.Parallel()
	ensemble := zktest.OwnEnsemble(t, 3, zktest.Options{})
	for name, f := range failures {
		t.Run(name, func(t *testing.T) { f.meet(t, ensemble) })
	}
}

// meet lets the failure meet all requests.
func (f failure) meet(t *testing.T, ensemble *zktest.Ensemble) {
	servers := byRole(t, ensemble)
	var all []*meeting
	for range met {
		for _, side := range []zktest.Side{zktest.Request, zktest.Reply} {
			k := struck{strike: strike{side: side, lost: true, expires: f.beyond, servers: true}, n: 1}
			all = append(all, &meeting{stage: f.newStage(t, servers), struck: k})
		}
	}
	for i, m := range all {
		m.struck.request = met[i/2].request
		m.start(acts[met[i/2].act])
	}
	for _, i := range f.kills {
		if err := servers[i].Kill(); err != nil {
			t.Fatal(err)
		}
	}
	if f.freeze {
		if err := servers[leader].Pause(); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range all {
		m.caught.Lose()
	}
	for _, m := range all {
		if f.beyond && m.held != nil {
			await(t, "the end of a session timeout", m.held.Lost())
		}
	}
	if f.freeze {
		if err := servers[leader].Resume(); err != nil {
			t.Fatal(err)
		}
	}
	if 2*len(f.kills) > len(servers) {
		restart(t, servers)
	}
	for i, m := range all {
		select {
		case err := <-m.ended:
			m.promise(m.struck, err)
		case <-time.After(patience):
			t.Errorf("it does not end")
		}
		if m.tidy(m.struck); t.Failed() {
			t.Fatalf("when they met %q of %q, side %d", m.struck.request, met[i/2].act, m.side)
		}
	}
	restart(t, servers)
}

// newStage is a stage whose client reaches each server through a proxy, and is connected
// to one of them.
func (f failure) newStage(t *testing.T, servers []*zktest.Server) *stage {
	t.Helper()
	s := &stage{Space: zktest.NewSpaceOn(t, servers...), t: t}
	s.ours, s.other = newClientWith(t, "", unhurried), newClientWith(t, "", unhurried)
	if f.beyond {
		s.ours.cfg.SessionTimeout = hurried
	}
	s.ours.cfg.Servers, s.other.cfg.Servers = nil, nil
	var closed []*zktest.Proxy
	for i, server := range servers {
		proxy := zktest.NewProxy(t, server)
		if i == f.with {
			s.proxy = proxy
		} else {
			proxy.Refuse()
			closed = append(closed, proxy)
		}
		s.ours.cfg.Servers = append(s.ours.cfg.Servers, proxy.Addr())
		s.other.cfg.Servers = append(s.other.cfg.Servers, server.Addr())
	}
	s.ours.session()
	s.other.session()
	for _, proxy := range closed {
		proxy.Accept()
	}
	return s
}

// start begins the act, and returns when the request is caught.
func (m *meeting) start(a act) {
	m.t.Helper()
	do, promise := a.begin(m.stage)
	m.promise, m.ended = promise, make(chan error, 1)
	r := newRequests(m.stage, nil)
	m.caught = m.proxy.Catch(m.side, func(p zktest.Packet) bool { return nameOfRequest(p) == m.struck.request && r.count(p) == m.n })
	ctx := bounded(m.t)
	go func() { m.ended <- do(ctx) }()
	m.caught.Wait()
}

// byRole are the members, the leader first.
func byRole(t *testing.T, ensemble *zktest.Ensemble) []*zktest.Server {
	t.Helper()
	first, err := ensemble.Leader(bounded(t))
	if err != nil {
		t.Fatal(err)
	}
	servers := []*zktest.Server{first}
	for _, s := range ensemble.Servers() {
		if s != first {
			servers = append(servers, s)
		}
	}
	return servers
}

// restart starts the members that do not run, side by side: of two none serves
// alone.
func restart(t *testing.T, servers []*zktest.Server) {
	t.Helper()
	// They start a virtual machine each, and elect a leader.
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	var restarting sync.WaitGroup
	for _, s := range servers {
		if s.Running() {
			continue
		}
		restarting.Go(func() {
			if err := s.Restart(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	restarting.Wait()
}
