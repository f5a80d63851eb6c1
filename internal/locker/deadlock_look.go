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

// suspicion is what the search for a deadlock needs to know of a contender that waits.
type suspicion struct {
	session *zookeeper.Session
	lockID  string
	own     claim
	others  func() []string // see Request.Others
	giveUp  func(context.Context, error)
}

// suspect begins to look whether our contender, which has to wait, has closed a deadlock.
// The channel gets a [*DeadlockError] then. stop ends the search.
func (c *candidate) suspect(ctx context.Context) (found <-chan error, stop func()) {
	own, _ := ParseContender(c.name)
	s := suspicion{session: c.session, lockID: c.LockID, own: claim{Contender: own, dir: c.dir, run: own.run()}, others: c.Others, giveUp: c.GiveUp}
	if c.Others == nil || c.Wait == 0 || s.own.run == "" {
		return nil, func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	errs := make(chan error, 1)
	var searching sync.WaitGroup
	searching.Go(func() {
		if err := s.search(ctx); err != nil {
			errs <- err
		}
	})
	return errs, func() {
		cancel()
		searching.Wait()
	}
}

// search returns a [*DeadlockError], or nil if there is no deadlock.
//
// Where the run has no other lock there can be none, and nothing is asked. Else one look
// is enough: who closes a deadlock sees all of it, as the server that has created our
// contender knows of all that were there before. Only where another contender is seen to
// have closed a deadlock that we are in, we look again until that has given up.
//
// What cannot be read, because of an ACL or of a lost connection, is not looked at.
func (s suspicion) search(ctx context.Context) error {
	for pause := deadlockPause; ; pause = min(2*pause, maxDeadlockPause) {
		circle, stuck := s.look(ctx)
		switch {
		case len(circle) > 0:
			err := &DeadlockError{LockID: s.lockID, Circle: circle}
			if s.giveUp != nil {
				s.giveUp(ctx, err)
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
func (s suspicion) look(ctx context.Context) (circle []Link, stuck bool) {
	others := s.others()
	if !s.waitedFor(ctx, others) {
		return nil, false
	}
	suspects := listAll(ctx, s.session, s.directories(ctx, append(others, s.own.dir))).stuck()
	if !suspects.has(s.own) {
		return nil, false
	}
	// The queues were listed one after the other. Those that are there still were all
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
// into a name, and so make a circle of what is none. The session is the server's word. That
// two sessions are of one run nobody can tell who is not of it: a circle over two sessions
// of one run is not seen.
func ofSession(run string, session int64) string { return fmt.Sprintf("%s of %#x", run, session) }

// waitedFor tells whether another run waits for one of the run's other locks.
func (s suspicion) waitedFor(ctx context.Context, others []string) bool {
	for _, queue := range listAll(ctx, s.session, others) {
		ours := slices.IndexFunc(queue, func(c claim) bool { return c.run == s.own.run })
		if ours >= 0 && slices.ContainsFunc(queue[ours:], func(c claim) bool { return c.run != s.own.run }) {
			return true
		}
	}
	return false
}

// directories are those of all locks below the same roots as the given ones.
func (s suspicion) directories(ctx context.Context, given []string) []string {
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

// listAll lists the queues in these directories, a few at a time. Contenders that belong to
// no known run are left out, and so is what cannot be read.
func listAll(ctx context.Context, s *zookeeper.Session, dirs []string) snapshot {
	queues := make(snapshot, len(dirs))
	eachOf(len(dirs), func(i int) {
		listing, err := s.Children(ctx, dirs[i])
		if err != nil {
			return
		}
		queue, _ := Contenders(listing.Names)
		for place, contender := range queue {
			if run := contender.run(); run != "" {
				queues[i] = append(queues[i], claim{Contender: contender, dir: dirs[i], run: run, first: holds(queue, place, contender.Slots)})
			}
		}
	})
	return queues.only(func(claim) bool { return true })
}

// read reads the znodes of all contenders, which tell the sessions, and leaves out those that have left, that outlive
// their run, or that do not wait for a lock which they do not get at once.
func (s snapshot) read(ctx context.Context, session *zookeeper.Session) snapshot {
	all := slices.Concat(s...)
	there := map[string]claim{}
	var mu sync.Mutex
	eachOf(len(all), func(i int) {
		c := all[i]
		entry, err := readEntry(ctx, session, c.dir, c.Contender)
		if err != nil || entry == nil || entry.Session == 0 || entry.Data.Once && !c.first {
			return
		}
		c.entry, c.czxid, c.run = *entry, entry.Czxid, ofSession(c.run, entry.Session)
		mu.Lock()
		defer mu.Unlock()
		there[c.path()] = c
	})
	left := s.only(func(c claim) bool { return there[c.path()].run != "" })
	for _, queue := range left {
		for i, c := range queue {
			queue[i] = there[c.path()]
		}
	}
	return left
}

func (s snapshot) has(own claim) bool {
	return slices.ContainsFunc(s, func(queue []claim) bool {
		return slices.ContainsFunc(queue, func(c claim) bool { return c.path() == own.path() })
	})
}

// eachOf calls f for 0 to n-1, for a few of them at a time.
func eachOf(n int, f func(int)) {
	slots := make(chan struct{}, readers)
	var all sync.WaitGroup
	for i := range n {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			f(i)
		})
	}
	all.Wait()
}
