// SPDX-License-Identifier: MPL-2.0

package holder

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

func tellsALoss(s *subject)        { s.loses(true) }
func tellsALossQuietly(s *subject) { s.loses(false) }

// loses has somebody delete the znode of a lock.
func (s *subject) loses(interrupt bool) {
	s.t.Helper()
	req := s.request("a", 0)
	req.Interrupt = interrupt
	one, two := take(s.t, s, req), take(s.t, s, req)
	s.Delete(s.below(one.Znode))
	if told := await(s.t, "a word of the loss", s.told); told != (toldOfLoss{"a", interrupt}) {
		s.t.Errorf("the run was told %+v", told)
	}
	for _, grant := range []Grant{one, two} {
		var lost *LostError
		if err := s.Release(s.t.Context(), znodeOf(req, grant)); !errors.As(err, &lost) || lost.LockID != "a" || lost.Znode != grant.Znode || lost.At.IsZero() {
			s.t.Errorf("the release of a lost lock: %v", err)
		}
		s.releases(req, grant) // which the run does not have any more
	}
	if len(s.told) > 0 {
		s.t.Errorf("the run was told again: %+v", <-s.told)
	}
	deleteEmpty(s.Space, dir("a"))
}

func takesALostLockAnew(s *subject) {
	req := s.request("a", 0)
	first := take(s.t, s, req)
	s.Delete(s.below(first.Znode))
	second := take(s.t, s, req)
	if first.Znode == second.Znode || second.Token <= first.Token {
		s.t.Errorf("granted %+v after %+v was deleted", second, first)
	}
	if err := s.Release(s.t.Context(), znodeOf(req, first)); !errors.As(err, new(*LostError)) {
		s.t.Errorf("release of what was lost: %v", err)
	}
	s.releases(req, second)
}

func leavesADurableLock(s *subject) {
	req := s.request("a", 0)
	req.Lock.Durable = true
	grant := take(s.t, s, req)
	s.end()
	if _, stat := s.Get(s.below(grant.Znode)); stat.EphemeralOwner != 0 {
		s.t.Errorf("the lock ends with the session %#x", stat.EphemeralOwner)
	}
	if err := newLocal(s.t, otherRun(s.t)).Release(s.t.Context(), znodeOf(req, grant)); err != nil {
		s.t.Error("release:", err)
	}
	if s.Exists(dir("a")) {
		s.t.Errorf("after the release there is %q", s.Tree())
	}
}

func describesDurableLocks(s *subject) {
	req := s.request("durable", 0)
	req.Lock.Durable = true
	grant, _ := s.another(req)
	znode := znodeOf(req, grant)
	if err := s.Describe(s.t.Context(), znode, "something else"); err != nil {
		s.t.Error("describe:", err)
	}
	text, _ := s.Get(s.below(grant.Znode))
	if data := dataOf(s.t, text); data.Info != "something else" || data.Token != grant.Token {
		s.t.Errorf("the znode says %s", text)
	}
	for range 2 {
		s.releases(req, grant)
		if s.Exists(dir("durable")) {
			s.t.Errorf("after the release there is %q", s.Tree())
		}
	}
	ephemeral := s.request("ephemeral", 0)
	held := take(s.t, s, ephemeral)
	pretended := znodeOf(ephemeral, held)
	pretended.Durable = true
	for what, err := range map[string]error{
		"describe what is gone":    s.Describe(s.t.Context(), znode, "too late"),
		"describe as if durable":   s.Describe(s.t.Context(), pretended, "mine"),
		"release it as if durable": s.Release(s.t.Context(), pretended),
	} {
		if !errors.Is(err, locker.ErrNotDurable) {
			s.t.Errorf("%s: %v, want %v", what, err, locker.ErrNotDurable)
		}
	}
	if s.contenders("ephemeral") != 1 {
		s.t.Error("the lock is not held any more")
	}
	s.releases(ephemeral, held)
}

func sharesSlots(s *subject) {
	req := s.request("a", locker.NoLimit)
	req.Lock.Slots = 2
	_, release := s.another(req)
	grant := take(s.t, s, req)
	third := otherRun(s.t)
	third.ID = "ffeeddccbbaa9988"
	local := newLocal(s.t, third)
	waiting, _ := waitFor(s.t, local, req)
	s.releases(req, grant)
	if r := await(s.t, "the slot", waiting); r.err != nil {
		s.t.Error(r.err)
	}
	release()
}

func refusesMore(s *subject) {
	for _, test := range []struct{ has, wants func(*Request) }{
		{func(r *Request) { r.Lock.Mode = locker.Shared }, func(r *Request) { r.Lock.Mode = locker.Exclusive }},
		{func(r *Request) { r.Lock.Slots = 2 }, func(r *Request) { r.Lock.Slots = 3 }},
		{func(*Request) {}, func(r *Request) { r.Lock.Durable = true }},
	} {
		has, wants := s.request("a", 0), s.request("a", 0)
		test.has(&has)
		test.wants(&wants)
		grant := take(s.t, s, has)
		var conflict *ConflictError
		if got, err := s.Acquire(s.t.Context(), wants); !errors.As(err, &conflict) || conflict.LockID != "a" || conflict.Held == conflict.Asked {
			s.t.Errorf("granted %+v, %v", got, err)
		}
		s.releases(has, grant)
	}
}

func ownsWhatItWasGranted(s *subject) {
	req := s.request("a", 0)
	own := func() []locker.Identity {
		s.t.Helper()
		own, err := s.Own(s.t.Context(), req.Lock.Dir)
		if err != nil {
			s.t.Error(err)
		}
		return own
	}
	grant := take(s.t, s, req)
	s.another(s.request("theirs", 0))
	_, stat := s.Get(s.below(grant.Znode))
	if got := own(); len(got) != 1 || got[0] != (locker.Identity{Znode: grant.Znode, Session: stat.EphemeralOwner, Czxid: stat.Czxid}) {
		s.t.Errorf("it owns %+v", got)
	}
	s.releases(req, grant)
	if got := own(); len(got) != 0 {
		s.t.Errorf("after the release it owns %+v", got)
	}
}

func saysWhyNot(s *subject) {
	req := s.request("a", time.Millisecond)
	theirs, release := s.another(req)
	_, err := s.Acquire(s.t.Context(), req)
	var busy *locker.BusyError
	if !errors.As(err, &busy) || !errors.Is(err, locker.ErrBusy) || !strings.Contains(err.Error(), theirs.Znode) {
		s.t.Fatalf("a busy lock: %v", err)
	}
	if h := busy.Holders[0]; busy.LockID != "a" || busy.Place != 1 || busy.Waited != time.Millisecond || busy.Dir != req.Lock.Dir ||
		h.Znode != theirs.Znode || h.Data.Owner != "tester" || h.Data.Info != "testing a" || h.Data.Host == "" || h.Data.PID == 0 || h.Data.Since.IsZero() || h.Session == 0 {
		s.t.Errorf("the busy lock's error is %+v", busy)
	}
	nowhere := s.request("nowhere", 0)
	nowhere.Ensemble.Servers, nowhere.Ensemble.ConnectTimeout = []string{"127.0.0.1:1"}, time.Second
	_, err = s.Acquire(s.t.Context(), nowhere)
	var connect *zookeeper.ConnectError
	if !errors.As(err, &connect) || connect.Servers[0] != "127.0.0.1:1" || !strings.Contains(connect.Cause.Error(), "refused") {
		s.t.Errorf("nowhere: %v, %+v", err, connect)
	}
	ctx, cancel := context.WithCancel(s.t.Context())
	cancel()
	if _, err := s.Acquire(ctx, req); !errors.Is(err, context.Canceled) {
		s.t.Errorf("cancelled before it began: %v", err)
	}
	release()
}
