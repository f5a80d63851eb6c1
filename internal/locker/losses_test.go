package locker

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// losses are the ways in which a request and its answer can get lost, while the
// server is the same before and after.
var losses = map[string]struct {
	side    zktest.Side
	expires bool // the session, before the client is back
}{
	"request lost":                           {side: zktest.Request},
	"reply lost":                             {side: zktest.Reply},
	"request lost and session expired":       {side: zktest.Request, expires: true},
	"reply delayed until session is expired": {side: zktest.Reply, expires: true},
}

// act is what a client does with a lock, from the beginning to the end.
type act struct {
	prepare func(*stage)
	play    func(*stage)
	// first, if not nil, is a request whose reply is lost before.
	first func(zktest.Packet) bool
	// requests are those that each have to be lost once.
	requests []string
}

var acts = map[string]act{
	"free, without a root": {
		play:     func(s *stage) { s.live(s.plain()) },
		requests: []string{"create all", "create the root", "delete all"},
	},
	"free, with a directory": {
		prepare: func(s *stage) { s.mkdir() },
		play:    func(s *stage) { s.live(s.plain()) },
		requests: []string{
			"create all", "create the contender", "list", "watch", "say since when",
			"delete the contender", "look at the directory", "delete the directory",
		},
	},
	"free, after the reply to the creation was lost": {
		prepare: func(s *stage) { s.Create(DefaultRoot, nil, zktest.Persistent) },
		play:    func(s *stage) { s.live(s.plain()) },
		first:   ofKind(zktest.OpMulti),
		requests: []string{
			"check", "list", "watch", "say since when", "delete the contender", "look at the directory", "delete the directory",
		},
	},
	"waits and is waited for": {
		play: waitAndHandOver,
		requests: []string{
			"create all", "create the contender", "list", "watch", "say since when",
			"delete the contender", "look at the directory",
		},
	},
	"waits and hands on": {
		play: handOn,
		requests: []string{
			"create all", "create the contender", "list", "watch", "say since when",
			"delete the contender", "look at the directory",
		},
	},
	"waits and is left alone": {
		play: leaveLast,
		requests: []string{
			"create all", "create the contender", "list", "watch", "say since when",
			"delete the contender", "look at the directory", "delete the directory",
		},
	},
	"tries once in vain": {
		play: tryInVain,
		requests: []string{
			"create all", "create the contender", "list", "watch", "read",
			"delete the contender", "look at the directory",
		},
	},
	"durable": {
		prepare: func(s *stage) { s.Create(DefaultRoot, nil, zktest.Persistent) },
		play:    func(s *stage) { s.live(s.request()) },
		requests: []string{
			"create all", "list", "watch", "promote", "check", "read",
			"delete the contender", "look at the directory", "delete the directory",
		},
	},
	"durable, after the reply to the promotion was lost": {
		prepare: func(s *stage) { s.Create(DefaultRoot, nil, zktest.Persistent) },
		play:    func(s *stage) { s.live(s.request()) },
		first:   promotion,
		requests: []string{
			"check", "list", "look at the contender", "watch", "read",
			"delete the contender", "look at the directory", "delete the directory",
		},
	},
}

// loses tells whether the requests that were seen are those that are to be lost. A lock
// that is held for a moment is watched, which is not for a loss to prevent.
func (a act) loses(seen map[string]int) bool {
	if !slices.Contains(a.requests, "watch") {
		delete(seen, "watch")
	}
	return slices.Equal(slices.Sorted(maps.Keys(seen)), slices.Sorted(slices.Values(a.requests)))
}

// Whichever request or answer is lost, and whether or not the session goes with
// it, there is one contender, success is said of what is so, and nothing is left.
func TestTheConnectionBreaksAnywhere(t *testing.T) {
	t.Parallel()
	for actName, a := range acts {
		for lossName, loss := range losses {
			t.Run(actName+"/"+lossName, func(t *testing.T) {
				t.Parallel()
				s := newStage(t)
				for _, request := range a.requests {
					for n, broken := 1, true; broken; n++ {
						if a.prepare != nil {
							a.prepare(s)
						}
						s.ours.session()
						v := s.lose(a.first, loss.side, request, n, loss.expires)
						a.play(s)
						seen := v.ends()
						if s.empty(loss.expires); t.Failed() {
							t.Fatalf("when %q was lost for the %d. time", request, n)
						}
						broken = seen[request] >= n
						if !broken && !a.loses(seen) {
							t.Errorf("there are %v, and to be lost are %q", seen, a.requests)
						}
					}
				}
			})
		}
	}
}

// plain is for an exclusive lock, without a limit to the wait.
func (s *stage) plain() Request { return s.ours.request(dirOf(s.Space)) }

func (s *stage) mkdir() {
	s.t.Helper()
	s.Create(DefaultRoot, nil, zktest.Persistent)
	s.Create(testDir, nil, zktest.Persistent)
}

// live takes a lock and lets it go.
func (s *stage) live(req Request) {
	s.t.Helper()
	l := s.ours.acquire(req)
	s.truly(l)
	s.letGo(l)
}

// truly fails the test unless the lock is held as it says, by the only contender.
func (s *stage) truly(l *Lock) {
	s.t.Helper()
	name := s.one(l.Durable())
	data, stat := s.Get(testDir + "/" + name)
	owner, token := l.node.session.ID(), stat.Czxid
	if l.Durable() {
		owner, token = 0, decodeData(data).Token
	}
	if l.Znode() != s.Path(testDir)+"/"+name || stat.EphemeralOwner != owner || token != l.Token() || l.node.session.Err() != nil {
		s.t.Errorf("the lock is %s of session %#x with token %d, %v, and there is %s: %+v", l.Znode(), owner, l.Token(), l.node.session.Err(), name, stat)
	}
}

// letGo releases a lock, which must be so when that is said.
func (s *stage) letGo(l *Lock) {
	s.t.Helper()
	err := error(nil)
	if l.Durable() {
		err = RemoveDurable(bounded(s.t), s.ours.sessions, l.Znode())
	} else {
		err = l.Release(bounded(s.t))
	}
	if err != nil {
		s.t.Error(err)
	}
	if s.Exists(testDir + "/" + nameOf(l.Znode())) {
		s.t.Error("released, and the contender is there")
	}
}

// waitAndHandOver takes a lock that another client holds, and yet another wants.
func waitAndHandOver(s *stage) {
	before := s.other.lock(dirOf(s.Space))
	w := s.ours.queue(s.plain())
	release(s.t, before)
	l := w.get()
	s.truly(l)
	behind := s.other.queue(s.plain())
	s.letGo(l)
	release(s.t, behind.get())
}

// inBetween waits for a lock that another client gives up, while yet another waits
// behind us, and tells whether we come first: we may lose our place with the session.
func inBetween(s *stage) (w, behind *pending, first bool) {
	before := s.other.lock(dirOf(s.Space))
	w = s.ours.queue(s.plain())
	behind = s.other.queue(s.plain())
	release(s.t, before)
	select {
	case <-w.done:
		return w, behind, true
	case <-behind.done:
	case <-bounded(s.t).Done():
		s.t.Fatal("nobody gets the lock")
	}
	return w, behind, false
}

// handOn lets go of a lock for which another client waits, as it has seen.
func handOn(s *stage) {
	w, behind, first := inBetween(s)
	if !first {
		release(s.t, behind.get())
	}
	s.letGo(w.get())
	if first {
		release(s.t, behind.get())
	}
}

// leaveLast lets go of a lock for which another client waited that has left.
func leaveLast(s *stage) {
	w, behind, first := inBetween(s)
	if first {
		behind.cancel(errCancelled)
	}
	if next, err := behind.end(); err == nil {
		release(s.t, next)
	}
	s.letGo(w.get())
}

// tryInVain wants a lock that another client holds.
func tryInVain(s *stage) {
	before := s.other.lock(dirOf(s.Space))
	req := s.plain()
	req.Wait = 0
	if l, err := Acquire(bounded(s.t), s.ours.sessions, req); !errors.Is(err, ErrBusy) {
		s.t.Errorf("got %v, %v", l, err)
	}
	if name := s.one(false); s.Path(testDir)+"/"+name != before.Znode() {
		s.t.Errorf("there is %s instead of %s", name, before.Znode())
	}
	release(s.t, before)
}

// empty fails the test if anything is left, and clears the stage for the next act.
// The end of a session can leave a directory, which the next lock clears away.
func (s *stage) empty(expired bool) {
	s.t.Helper()
	tree := s.Tree()
	if expired && slices.Equal(tree, []string{DefaultRoot, testDir}) {
		release(s.t, s.other.lock(dirOf(s.Space)))
		tree = s.Tree()
	}
	if !slices.Equal(tree, []string{DefaultRoot}) {
		s.t.Errorf("there is %q", tree)
		return
	}
	s.Delete(DefaultRoot)
}
