// SPDX-License-Identifier: MPL-2.0

package holder

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// subject is a holder that has to keep the promises of [Holder].
type subject struct {
	Holder
	*zktest.Space
	t    *testing.T
	run  string          // the id of its run
	pid  int             // of its run
	end  func()          // ends its run
	told chan toldOfLoss // what the run is told of losses
}

// toldOfLoss is that a run was told that a lock is lost, and whether that interrupts it.
type toldOfLoss struct {
	lockID    string
	interrupt bool
}

// subjects are the implementations of [Holder]. Some can be tested side by side.
var subjects = map[string]struct {
	start    func(*subject)
	parallel bool
}{
	"in the same process": {startDirect, true},
	"behind a socket":     {startBehindASocket, true},
}

// startDirect makes the subject a [Local].
func startDirect(s *subject) { s.Holder = s.local() }

// startBehindASocket makes the subject a [Remote] that talks to a [Local].
func startBehindASocket(s *subject) { s.Holder, _, _ = connected(s.t, s.local()) }

func (s *subject) local() *Local {
	r := self(s.t)
	local := NewLocal(r, func(loss Loss, interrupt bool) { s.told <- toldOfLoss{loss.LockID, interrupt} })
	s.run, s.pid = r.ID, r.PID
	s.end = func() {
		if err := local.Close(); err != nil && !errors.As(err, new(*LostError)) {
			s.t.Error("close:", err)
		}
	}
	return local
}

// promises are what is promised of every [Holder].
var promises = map[string]func(*subject){
	"a lock is held until it is released":                       holdsUntilReleased,
	"a lock is held until the run ends":                         holdsUntilTheEnd,
	"a lock of another run is left alone":                       leavesOthersAlone,
	"an error says why there is no lock":                        saysWhyNot,
	"a run has a lock once":                                     hasALockOnce,
	"a wait tells how the queue stands":                         tellsTheQueue,
	"a cancelled wait leaves the queue":                         leavesTheQueue,
	"what is waited for already is waited for together":         waitsTogether,
	"a loss is told once and to whoever releases":               tellsALoss,
	"a loss does not interrupt who did not ask for it":          tellsALossQuietly,
	"a lost lock is taken anew":                                 takesALostLockAnew,
	"a durable lock outlives the run":                           leavesADurableLock,
	"only a durable lock is described":                          describesDurableLocks,
	"a semaphore lets others in":                                sharesSlots,
	"more than the run has is a conflict":                       refusesMore,
	"the contenders that the run owns are those it was granted": ownsWhatItWasGranted,
}

func TestHoldersKeepTheirPromises(t *testing.T) {
	for kind, implementation := range subjects {
		for name, promise := range promises {
			t.Run(kind+"/"+name, func(t *testing.T) {
				if implementation.parallel {
					t.Parallel()
				}
				s := &subject{Space: zktest.NewSpace(t), t: t, told: make(chan toldOfLoss, 10)}
				implementation.start(s)
				t.Cleanup(s.end)
				promise(s)
			})
		}
	}
}

func (s *subject) request(lockID string, wait time.Duration) Request {
	s.t.Helper()
	return request(s.t, s.Space, lockID, wait)
}

// contenders are how many there are for a lock.
func (s *subject) contenders(lockID string) int {
	s.t.Helper()
	return len(s.Children(dir(lockID)))
}

// below is the path of a znode below the chroot.
func (s *subject) below(znode string) string { return strings.TrimPrefix(znode, s.Chroot()) }

func (s *subject) releases(req Request, grant Grant) {
	s.t.Helper()
	if err := s.Release(s.t.Context(), znodeOf(req, grant)); err != nil {
		s.t.Error("release:", err)
	}
}

// dataOf is what a znode says.
func dataOf(t *testing.T, text []byte) (data locker.Data) {
	t.Helper()
	if err := json.Unmarshal(text, &data); err != nil {
		t.Errorf("%s: %v", text, err)
	}
	return data
}

func holdsUntilReleased(s *subject) {
	req := s.request("a", 0)
	grant := take(s.t, s, req)
	if grant.Token == 0 || grant.SessionTimeout == 0 || !strings.HasPrefix(grant.Znode, s.Path(dir("a"))+"/") {
		s.t.Errorf("granted %+v", grant)
	}
	text, _ := s.Get(s.below(grant.Znode))
	data := dataOf(s.t, text)
	if data.Run != s.run || data.PID != s.pid || data.Host != self(s.t).Host || data.Owner != "tester" || data.Info != "testing a" {
		s.t.Errorf("the znode says %s", text)
	}
	var busy *locker.BusyError
	if _, err := newLocal(s.t, otherRun(s.t)).Acquire(s.t.Context(), req); !errors.As(err, &busy) || busy.Holders[0].Znode != grant.Znode {
		s.t.Errorf("another run's acquire: %v, want %s to be busy", err, grant.Znode)
	}
	for range 2 { // the second time there is nothing to release
		s.releases(req, grant)
		if s.Exists(dir("a")) {
			s.t.Errorf("after the release there is %q", s.Tree())
		}
	}
}

func holdsUntilTheEnd(s *subject) {
	take(s.t, s, s.request("a", 0))
	waiting := begin(s.t, newLocal(s.t, otherRun(s.t)), s.request("a", locker.NoLimit))
	s.WaitChildren(dir("a"), 2)
	s.end()
	if r := await(s.t, "the lock", waiting); r.err != nil {
		s.t.Error(r.err)
	}
}

func leavesOthersAlone(s *subject) {
	take(s.t, s, s.request("ours", 0))
	req := s.request("theirs", 0)
	grant := take(s.t, newLocal(s.t, otherRun(s.t)), req)
	s.releases(req, grant)
	if s.contenders("theirs") != 1 {
		s.t.Error("another's lock was released")
	}
}

func hasALockOnce(s *subject) {
	first, second := s.request("a", 0), s.request("a", 0)
	second.Lock.LockID, second.Lock.Mode, second.Lock.Data.Info = "the same by another name", locker.Shared, "another info"
	one, two := take(s.t, s, first), take(s.t, s, second)
	if one.ID == two.ID || one.Znode != two.Znode || one.Token != two.Token || s.contenders("a") != 1 {
		s.t.Errorf("granted %+v and %+v", one, two)
	}
	if data, _ := s.Get(s.below(one.Znode)); dataOf(s.t, data).Info != "testing a" {
		s.t.Errorf("the info is not that of who came first: %s", data)
	}
	for range 2 {
		s.releases(first, one)
	}
	if n := s.contenders("a"); n != 1 {
		s.t.Errorf("there are %d contenders while a grant is left", n)
	}
	three := take(s.t, s, first)
	if three.Znode != two.Znode {
		s.t.Errorf("granted %+v, want the lock of %+v", three, two)
	}
	s.releases(first, two)
	s.releases(first, three)
	if s.Exists(dir("a")) {
		s.t.Errorf("there is %q", s.Tree())
	}
}

// another holds a lock in another run.
func (s *subject) another(req Request) (grant Grant, release func()) {
	s.t.Helper()
	other := newLocal(s.t, otherRun(s.t))
	grant = take(s.t, other, req)
	return grant, func() {
		s.t.Helper()
		if err := other.Release(s.t.Context(), znodeOf(req, grant)); err != nil {
			s.t.Error("the other run's release:", err)
		}
	}
}

func tellsTheQueue(s *subject) {
	req := s.request("a", locker.NoLimit)
	theirs, release := s.another(req)
	looks := make(chan locker.Waiting, 100)
	req.Lock.Waiting = func(w locker.Waiting) { looks <- w }
	waiting := begin(s.t, s, req)
	if w := await(s.t, "how the queue stands", looks); w.Place != 1 || w.Next.Znode != theirs.Znode || w.Next.Data.Info != "testing a" {
		s.t.Errorf("it waits for %+v", w)
	}
	release()
	r := await(s.t, "the lock", waiting)
	if r.err != nil || r.grant.Token <= theirs.Token {
		s.t.Errorf("granted %+v after %+v, %v", r.grant, theirs, r.err)
	}
	s.releases(req, r.grant)
}

// leaves cancels an acquire that waits, and checks how many contenders are left.
func (s *subject) leaves(waiting <-chan result, cancel func(), left int) {
	s.t.Helper()
	cancel()
	if r := await(s.t, "the end of a cancelled acquire", waiting); !errors.Is(r.err, context.Canceled) {
		s.t.Errorf("the cancelled acquire: %+v", r)
	}
	if n := s.contenders("a"); n != left {
		s.t.Errorf("the queue has %d contenders, want %d", n, left)
	}
}

func leavesTheQueue(s *subject) {
	req := s.request("a", locker.NoLimit)
	_, release := s.another(req)
	waiting, cancel := waitFor(s.t, s, req)
	s.leaves(waiting, cancel, 1) // the other's
	release()
	s.releases(req, take(s.t, s, req))
}

func waitsTogether(s *subject) {
	req := s.request("a", locker.NoLimit)
	_, release := s.another(req)
	first, leave := waitFor(s.t, s, req)
	second, _ := waitFor(s.t, s, req)
	s.leaves(first, leave, 2) // one of each run
	release()
	r := await(s.t, "the lock", second)
	if r.err != nil {
		s.t.Fatal(r.err)
	}
	s.releases(req, r.grant)
}
