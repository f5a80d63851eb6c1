// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

var acts = map[string]act{
	"take a free lock without a root":                              {begin: takes(func(*stage) {}, (*stage).plain)},
	"take a free lock in a directory":                              {begin: takes((*stage).mkdir, (*stage).plain)},
	"take after the reply to the creation is lost":                 {begin: takes((*stage).mkroot, (*stage).plain), first: ofKind(zktest.OpMulti)},
	"take a durable lock":                                          {begin: takes((*stage).mkroot, (*stage).request)},
	"take a durable lock after the reply to the promotion is lost": {begin: takes((*stage).mkroot, (*stage).request), first: promotion},
	"wait and take":                                                {begin: waitsAndTakes},
	"try in vain":                                                  {begin: triesInVain},
	"release":                                                      {begin: releases((*stage).mkroot)},
	"release in a directory":                                       {begin: releases((*stage).mkdir)},
	"hand over":                                                    {begin: handsOver},
	"release a durable lock":                                       {begin: releasesDurable},
	"describe a durable lock":                                      {begin: describes},
	"look at a lock":                                               {begin: looks},
	"look at who holds a lock":                                     {begin: looksUp},
	"break a lock":                                                 {begin: breaks(false)},
	"break a durable lock":                                         {begin: breaks(true)},
	"see that others disagree":                                     {begin: disagrees},
	"release what others await":                                    {begin: releasesAfterOthers},
	"hold":                                                         {begin: keeps},
}

// begins is the type of act.begin.
type begins = func(*stage) (func(context.Context) error, func(struck, error))

// plain is for an exclusive lock, without a limit to the wait.
func (s *stage) plain() Request { return s.ours.request(dirOf(s.Space)) }

func (s *stage) mkroot() {
	s.t.Helper()
	s.Create(DefaultRoot, nil, zktest.Persistent)
}

func (s *stage) mkdir() {
	s.t.Helper()
	s.mkroot()
	s.Create(testDir, nil, zktest.Persistent)
}

// takes takes a lock that is free.
func takes(prepare func(*stage), request func(*stage) Request) begins {
	return func(s *stage) (func(context.Context) error, func(struck, error)) {
		prepare(s)
		var l *Lock
		do := func(ctx context.Context) (err error) {
			l, err = Acquire(ctx, s.ours.sessions, request(s))
			return err
		}
		return do, func(k struck, err error) { s.hasTaken(k, l, err, 0) }
	}
}

// hasTaken checks the promise of an acquire: the lock is held by the only contender, as it
// says, and that has kept its place, unless its session expired; or the acquire was
// cancelled. Then it releases the lock.
func (s *stage) hasTaken(k struck, l *Lock, err error, place int32) {
	s.t.Helper()
	if err != nil || l == nil {
		if !k.cancels || l != nil || !errors.Is(err, errCancelled) {
			s.t.Errorf("the acquire ended with %v, %v", l, err)
		}
		return
	}
	s.truly(k, l)
	if l.Err() != nil && s.mayLose(k, l) {
		await(s.t, "the loss of the lock", l.Lost())
		release(s.t, l)
		return
	}
	if c, _ := ParseContender(nameOf(l.Znode())); !k.expires && c.Sequence != place {
		s.t.Errorf("it has lost its place: the lock is %s", l.Znode())
	}
	s.letGo(k, l)
}

// mayLose tells whether the session may end once the lock is held: the strike has met the
// watch over it, or the servers, which may not serve for as long after they have been
// started.
func (s *stage) mayLose(k struck, l *Lock) bool {
	gone := k.request == "watch" && l.kept != nil && !s.Exists(testDir+"/"+nameOf(l.Znode()))
	return k.expires && (gone || k.servers)
}

// truly fails the test unless the lock is held as it says, by the only contender, or is
// lost as it may be.
func (s *stage) truly(k struck, l *Lock) {
	s.t.Helper()
	s.Sync()
	names := s.Children(testDir)
	problem := fmt.Sprintf("there is %q", names)
	if len(names) == 1 {
		data, stat := s.Get(testDir + "/" + names[0])
		owner, token, err := l.node.session.ID(), stat.Czxid, l.node.session.Err()
		if l.Durable() {
			owner, token, err = 0, decodeData(data).Token, nil // it needs no session
		}
		if l.Znode() == s.Path(testDir)+"/"+names[0] && stat.EphemeralOwner == owner && token == l.Token() && err == nil {
			return
		}
		problem = fmt.Sprintf("there is %s: %+v, %v", names[0], stat, err)
	}
	if l.Err() == nil || !s.mayLose(k, l) {
		s.t.Errorf("the lock is %s of session %#x with token %d, and %s", l.Znode(), l.node.session.ID(), l.Token(), problem)
	}
}

// letGo releases a lock, which must be so when that is said.
func (s *stage) letGo(k struck, l *Lock) {
	s.t.Helper()
	var err error
	if l.Durable() {
		err = RemoveDurable(bounded(s.t), s.ours.sessions, l.Znode())
	} else {
		err = l.Release(bounded(s.t))
	}
	if l.Err() != nil && s.mayLose(k, l) {
		err = nil
	}
	s.released(l, err)
}

func (s *stage) released(l *Lock, err error) {
	s.t.Helper()
	if err != nil {
		s.t.Error(err)
	}
	s.Sync()
	if s.Exists(testDir + "/" + nameOf(l.Znode())) {
		s.t.Error("released, and the contender is there")
	}
}

// waitsAndTakes takes a lock that another client holds until it sees that we wait.
func waitsAndTakes(s *stage) (func(context.Context) error, func(struck, error)) {
	before := s.other.lock(dirOf(s.Space))
	var free atomic.Bool
	var handing sync.WaitGroup
	handOver := sync.OnceFunc(func() {
		free.Store(true)
		release(s.t, before)
	})
	var l *Lock
	do := func(ctx context.Context) (err error) {
		req := s.plain()
		req.Waiting = func(Waiting) { handing.Go(handOver) }
		if l, err = Acquire(ctx, s.ours.sessions, req); err == nil && !free.Load() {
			s.t.Errorf("TWO HOLD the lock: %s and %s", before.Znode(), l.Znode())
		}
		return err
	}
	return do, func(k struck, err error) {
		handOver()
		handing.Wait()
		s.hasTaken(k, l, err, 1)
	}
}

// triesInVain tries once to take a lock that another client holds.
func triesInVain(s *stage) (func(context.Context) error, func(struck, error)) {
	before := s.other.lock(dirOf(s.Space))
	do := func(ctx context.Context) error {
		req := s.plain()
		req.Wait = 0
		l, err := Acquire(ctx, s.ours.sessions, req)
		if l != nil {
			s.t.Errorf("TWO HOLD the lock: %s and %s", before.Znode(), l.Znode())
		}
		return err
	}
	return do, func(k struck, err error) {
		busy := (*BusyError)(nil)
		if errors.As(err, &busy) {
			if len(busy.Holders) != 1 || busy.Holders[0].Znode != before.Znode() {
				s.t.Errorf("the lock is held by %+v", busy.Holders)
			}
		} else if !k.cancels || !errors.Is(err, errCancelled) {
			s.t.Errorf("it ended with %v", err)
		}
		if names := s.WaitChildren(testDir, 1); s.Path(testDir)+"/"+names[0] != before.Znode() {
			s.t.Errorf("there is %q instead of %s", names, before.Znode())
		}
		release(s.t, before)
	}
}

// disagrees wants another number of slots than the holder.
func disagrees(s *stage) (func(context.Context) error, func(struck, error)) {
	req := s.other.request(dirOf(s.Space))
	req.Slots = 2
	held := s.other.acquire(req)
	do := func(ctx context.Context) error {
		req := s.plain()
		req.Slots = 3
		_, err := Acquire(ctx, s.ours.sessions, req)
		return err
	}
	return do, func(k struck, err error) {
		if !errors.Is(err, ErrDisagree) && (!k.cancels || !errors.Is(err, errCancelled)) {
			s.t.Errorf("not told of the other number: %v", err)
		}
		s.WaitChildren(testDir, 1)
		release(s.t, held)
	}
}

// releases releases a lock that nobody else wants.
func releases(prepare func(*stage)) begins {
	return func(s *stage) (func(context.Context) error, func(struck, error)) {
		prepare(s)
		l := s.ours.lock(dirOf(s.Space))
		return l.Release, func(k struck, err error) { s.hasReleased(k, l, err) }
	}
}

// hasReleased checks the promise of a release: the contender is gone, or the release was
// cancelled and another one gets it done.
func (s *stage) hasReleased(k struck, l *Lock, err error) {
	s.t.Helper()
	if err != nil && k.cancels && errors.Is(err, errCancelled) && strings.Contains(err.Error(), l.Znode()) {
		err = l.Release(bounded(s.t))
	}
	if k.servers { // which may not have ended the session yet
		s.WaitGone(testDir + "/" + nameOf(l.Znode()))
	}
	s.released(l, err)
}

// handsOver releases a lock for which another client waits.
func handsOver(s *stage) (func(context.Context) error, func(struck, error)) {
	l := s.ours.lock(dirOf(s.Space))
	next := s.other.queue(s.plain())
	return l.Release, func(k struck, err error) {
		s.hasReleased(k, l, err)
		release(s.t, next.get())
	}
}

// releasesAfterOthers releases a lock that others have waited for, who have left since.
func releasesAfterOthers(s *stage) (func(context.Context) error, func(struck, error)) {
	before := s.other.lock(dirOf(s.Space))
	w := s.ours.queue(s.plain())
	next := s.other.queue(s.plain())
	release(s.t, before)
	l := w.get()
	next.leave()
	return l.Release, func(k struck, err error) { s.hasReleased(k, l, err) }
}

// releasesDurable releases a durable lock.
func releasesDurable(s *stage) (func(context.Context) error, func(struck, error)) {
	l := s.other.acquire(s.request())
	do := func(ctx context.Context) error { return RemoveDurable(ctx, s.ours.sessions, l.Znode()) }
	return do, func(k struck, err error) {
		if err != nil && k.cancels {
			err = RemoveDurable(bounded(s.t), s.ours.sessions, l.Znode())
		}
		s.released(l, err)
	}
}

// keeps holds a lock, for which another client waits, and asks a quorum for it.
func keeps(s *stage) (func(context.Context) error, func(struck, error)) {
	l := s.ours.lock(dirOf(s.Space))
	next := s.other.queue(s.plain())
	early := make(chan bool, 1) // another client has the lock, and we still believe in ours
	var over atomic.Bool
	go func() {
		<-next.done
		select {
		case <-l.Lost():
			early <- false
		default:
			early <- next.err == nil && !over.Load()
		}
	}()
	s.held = l
	do := func(ctx context.Context) error { return l.node.session.Check(ctx, l.Znode()) }
	return do, func(k struck, err error) {
		if k.expires {
			await(s.t, "the loss of the lock", l.Lost())
		} else if l.Err() != nil || err != nil && !k.cancels {
			s.t.Errorf("it is lost by %v; a quorum says %v", l.Err(), err)
		}
		over.Store(true)
		s.hasReleased(k, l, l.Release(bounded(s.t)))
		after := next.get()
		// A session that somebody else ends is another thing: we learn of it a moment later.
		if <-early && (k.servers || !k.expires) {
			s.t.Errorf("TWO HOLD the lock: %s and %s", l.Znode(), after.Znode())
		}
		if after.Token() <= l.Token() {
			s.t.Errorf("token %d follows %d", after.Token(), l.Token())
		}
		release(s.t, after)
	}
}
