// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// deadlockPause is the least time between two looks for a deadlock, where another run is
// expected to give up, and maxDeadlockPause the greatest.
const (
	deadlockPause    = time.Second
	maxDeadlockPause = time.Minute
)

// search looks whether our node has closed a deadlock.
type search struct {
	session *zookeeper.Session
	req     Request
	own     claim
}

// searchDeadlock begins to look whether our node, which has to wait, has closed a deadlock.
// The channel gets a [*DeadlockError] then. stop ends the search.
func searchDeadlock(ctx context.Context, session *zookeeper.Session, znode string, req Request) (found <-chan error, stop func()) {
	dir, name := split(znode)
	own, _ := ParseContender(name)
	s := search{session, req, claim{entry: Entry{Contender: own, Znode: znode}, dir: dir, run: own.run()}}
	if req.Others == nil || req.Wait == 0 || s.own.run == "" {
		return nil, func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	errs := make(chan error, 1)
	var searching sync.WaitGroup
	searching.Go(func() {
		if err := s.run(ctx); err != nil {
			errs <- err
		}
	})
	return errs, func() {
		cancel()
		searching.Wait()
	}
}

// run returns a [*DeadlockError], or nil if there is no deadlock.
//
// If the run has no other lock there can be none, and nothing is asked. Otherwise one look
// is enough: a contender that closes a deadlock sees all of it, as the server that created
// our node knows of all that were there before. Only if another contender is seen to have
// closed a deadlock that we are in, we look again until that has given up.
//
// What cannot be read, because of an ACL or of a lost connection, is not looked at.
func (s search) run(ctx context.Context) error {
	for pause := deadlockPause; ; pause = min(2*pause, maxDeadlockPause) {
		circle, stuck := s.look(ctx)
		switch {
		case len(circle) > 0:
			err := &DeadlockError{LockID: s.req.LockID, Circle: circle}
			if s.req.GiveUp != nil {
				s.req.GiveUp(ctx, err)
			}
			return err
		case !stuck:
			return nil
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
	}
}

// look looks once.
func (s search) look(ctx context.Context) (circle []Link, stuck bool) {
	others := s.req.Others()
	if !s.waitedFor(ctx, others) {
		return nil, false
	}
	suspects := listClaims(ctx, s.session, s.directories(ctx, append(others, s.own.dir))).stuck()
	if !suspects.has(s.own) {
		return nil, false
	}
	// The queues were listed one after the other. Those that are still there were all
	// there at the same time, when the last one was listed.
	suspects = suspects.read(ctx, s.session)
	if !suspects.has(s.own) {
		return nil, false
	}
	own := s.own
	own.run = ofSession(own.run, s.session.ID())
	return suspects.closedBy(own)
}

// ofSession is a run as far as one session is concerned. Anybody can write the id of a run
// into a name, and so pretend that there is a circle. The session is the server's word.
// Only the run itself can tell that two sessions are its own, so a circle over two sessions
// of one run is not seen.
func ofSession(run string, session int64) string { return fmt.Sprintf("%s of %#x", run, session) }

// waitedFor tells whether another run waits for one of the run's other locks.
func (s search) waitedFor(ctx context.Context, others []string) bool {
	for _, queue := range listClaims(ctx, s.session, others) {
		ours := slices.IndexFunc(queue, func(c claim) bool { return c.run == s.own.run })
		if ours >= 0 && slices.ContainsFunc(queue[ours:], func(c claim) bool { return c.run != s.own.run }) {
			return true
		}
	}
	return false
}

// directories are those of all locks below the same roots as the given ones.
func (s search) directories(ctx context.Context, given []string) []string {
	all, roots := map[string]bool{}, map[string]bool{}
	for _, dir := range given {
		all[dir] = true
		root, _ := split(dir)
		roots[root] = true
	}
	for root := range roots {
		listing, err := s.session.Children(ctx, cmp.Or(root, "/"))
		if err != nil {
			continue
		}
		for _, name := range listing.Names {
			all[root+"/"+name] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// listClaims lists the queues in these directories, a few at a time. Contenders that belong
// to no known run are left out, and so is what cannot be read.
func listClaims(ctx context.Context, s *zookeeper.Session, dirs []string) claims {
	queues := make(claims, len(dirs))
	eachOf(len(dirs), func(i int) {
		listing, err := s.Children(ctx, dirs[i])
		if err != nil {
			return
		}
		queue, _ := Contenders(listing.Names)
		for place, c := range queue {
			if run := c.run(); run != "" {
				entry := Entry{Contender: c, Znode: dirs[i] + "/" + c.Name}
				queues[i] = append(queues[i], claim{entry: entry, dir: dirs[i], run: run, first: holds(queue, place, c.Slots)})
			}
		}
	})
	return queues.only(func(claim) bool { return true })
}

// read reads the znodes of all contenders, which tell the sessions. It leaves out those
// that have left, that outlive their run, or that do not wait for a lock which they do not
// get at once.
func (s claims) read(ctx context.Context, session *zookeeper.Session) claims {
	all := slices.Concat(s...)
	there := map[string]claim{} // by path
	var mu sync.Mutex
	eachOf(len(all), func(i int) {
		c := all[i]
		entry, err := readEntry(ctx, session, c.dir, c.entry.Contender)
		if err != nil || entry == nil || entry.Session == 0 || entry.Data.Once && !c.first {
			return
		}
		c.entry, c.run = *entry, ofSession(c.run, entry.Session)
		mu.Lock()
		defer mu.Unlock()
		there[c.entry.Znode] = c
	})
	left := s.only(func(c claim) bool { return there[c.entry.Znode].run != "" })
	for _, queue := range left {
		for i, c := range queue {
			queue[i] = there[c.entry.Znode]
		}
	}
	return left
}
