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

// fault is what befalls the servers under sessions that are with one of them.
type fault struct {
	with   int           // the member
	kills  []int         // members; both of two are restarted while it lasts
	freeze bool          // the leader, until a session timeout is over
	beyond bool          // lasts until a session timeout is over
	away   bool          // the clients come back only when their sessions are expired
	length time.Duration // of a session timeout
}

const (
	unhurried = time.Minute     // no fault lasts so long
	hurried   = 2 * time.Second // for one that is to last longer
)

var faults = map[string]fault{
	"the leader is killed, and sessions are with it":         {with: leader, kills: []int{leader}, length: unhurried},
	"the leader is killed, and sessions are with a follower": {with: follower, kills: []int{leader}, length: unhurried},
	"a follower is killed, and sessions are with it":         {with: follower, kills: []int{follower}, length: unhurried},
	"no quorum for less than the timeout":                    {with: follower, kills: []int{leader, follower}, length: unhurried},
	"no quorum for longer than the timeout":                  {with: follower, kills: []int{leader, otherFollower}, beyond: true, length: hurried},
	"no quorum for longer than the timeout, nor clients":     {with: leader, kills: []int{leader, follower}, beyond: true, away: true, length: hurried},
	"the leader is frozen for longer than the timeout":       {with: follower, freeze: true, beyond: true, length: hurried},
}

// Whatever befalls the servers while a client is at whatever: a lock that is held
// stays held by the same contender with the same token, or is lost before another
// gets it; one who waits keeps the place or queues again; what is being made durable
// or let go is so in the end, once; and nothing is left.
func TestServersFail(t *testing.T) {
	t.Parallel()
	ensemble := zktest.OwnEnsemble(t, 3, zktest.Options{})
	for name, f := range faults {
		t.Run(name, func(t *testing.T) { f.befall(t, ensemble) })
	}
}

// befall lets the fault meet a client in each phase.
func (f fault) befall(t *testing.T, ensemble *zktest.Ensemble) {
	servers := byRole(t, ensemble)
	space := zktest.NewSpaceOn(t, servers...)
	space.Create(DefaultRoot, nil, zktest.Persistent)
	scenes := make([]*scene, 0, len(phases))
	afters := make([]func(), 0, len(phases))
	for _, phase := range phases {
		s := newScene(t, space, f, phase.name, servers)
		scenes = append(scenes, s)
		afters = append(afters, phase.begin(s))
	}

	if f.away {
		for _, s := range scenes {
			s.ours.leave()
		}
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
	for _, s := range scenes {
		if s.caught != nil {
			s.caught.Lose()
		}
	}
	if f.beyond {
		for _, s := range scenes {
			if s.lock != nil {
				await(t, "the end of a session timeout", s.lock.Lost())
			}
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
	if f.away {
		for _, s := range scenes {
			s.WaitGone(s.ours.mark)
			s.ours.comeBack()
		}
	}

	for _, after := range afters {
		after()
	}
	restart(t, servers)
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
