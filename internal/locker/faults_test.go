// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"bytes"
	"context"
	"encoding/binary"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// act is what a client does with a lock. It is played once to record its requests, and
// then once for each of them and each strike.
type act struct {
	// begin prepares the lock, which nothing strikes. do is the act. promise checks what
	// has to be true when do has ended with that error, and leaves nothing.
	begin func(*stage) (do func(context.Context) error, promise func(struck, error))
	// first, if not nil, matches a request whose reply is lost. Strikes come after that.
	first func(zktest.Packet) bool
}

// strike is what happens to one request of an act.
type strike struct {
	side    zktest.Side
	lost    bool  // the request, or the reply to it, with the connection
	expires bool  // the session, before the client is back
	cancels bool  // the context of the act
	code    int32 // the server's answer instead, if not 0
	servers bool  // servers fail, not only the connection
}

var strikes = map[string]strike{
	"request lost":                                 {side: zktest.Request, lost: true},
	"reply lost":                                   {side: zktest.Reply, lost: true},
	"request lost and session expired":             {side: zktest.Request, lost: true, expires: true},
	"reply lost and session expired":               {side: zktest.Reply, lost: true, expires: true},
	"cancelled before the request":                 {side: zktest.Request, cancels: true},
	"cancelled before the reply":                   {side: zktest.Reply, cancels: true},
	"cancelled and request lost":                   {side: zktest.Request, cancels: true, lost: true},
	"cancelled and reply lost":                     {side: zktest.Reply, cancels: true, lost: true},
	"cancelled and reply lost and session expired": {side: zktest.Reply, cancels: true, lost: true, expires: true},
	"throttled":                                    {side: zktest.Request, code: -127},
	"answered by an unknown code":                  {side: zktest.Request, code: -77},
}

// struck is the request that a strike meets: the n-th of that name.
type struck struct {
	strike
	request string
	n       int
}

// hit does it to a request that was caught.
func (k struck) hit(s *stage, caught *zktest.Caught, cancel context.CancelCauseFunc) {
	if k.cancels {
		cancel(errCancelled)
	}
	if k.expires {
		s.proxy.Expire()
	}
	switch {
	case k.lost:
		caught.Lose()
	case k.code != 0:
		caught.Refuse(k.code)
	default:
		caught.Pass()
	}
}

// Whichever request of whichever act is struck, and by whatever: nobody holds the lock
// who must not, what is said is true, and nothing is left.
func TestEachRequestIsStruck(t *testing.T) {
	t.Parallel()
	for actName, a := range acts {
		for strikeName, k := range strikes {
			t.Run(actName+"/"+strikeName, func(t *testing.T) {
				t.Parallel()
				s := newStage(t)
				recorded := a.play(s, struck{})
				if len(recorded) == 0 {
					t.Fatal("the act has no requests")
				}
				for _, request := range slices.Sorted(maps.Keys(recorded)) {
					for n := 1; n <= recorded[request]; n++ {
						a.play(s, struck{k, request, n})
						if t.Failed() {
							t.Fatalf("when it met %q, number %d", request, n)
						}
					}
				}
			})
		}
	}
}

// play plays the act once, and strikes unless k is empty. It returns how many requests of
// each name there were.
func (a act) play(s *stage, k struck) map[string]int {
	s.t.Helper()
	session := s.ours.session()
	do, promise := a.begin(s)
	r := newRequests(s, a.first)
	caught := s.proxy.Catch(k.side, func(p zktest.Packet) bool { return r.count(p) == k.n && k.n > 0 && nameOfRequest(p) == k.request })
	ctx, cancel := context.WithCancelCause(bounded(s.t))
	defer cancel(nil)
	ended := make(chan error, 1)
	go func() { ended <- do(ctx) }()
	var err error
	hit := true
	select {
	case <-caught.Hit():
		k.hit(s, caught, cancel)
		err = <-ended
	case err = <-ended:
		if hit = caught.Disarm(); hit {
			k.hit(s, caught, cancel)
		} else if k.n == 1 && k.request != "watch" { // of a held lock, for which the act need not wait
			s.t.Errorf("there was no %q", k.request)
		}
	}
	if !hit {
		k = struck{}
	}
	promise(k, err)
	if k.expires {
		await(s.t, "the end of the session", session.Lost())
	}
	s.tidy(k)
	return r.seen()
}

// requests counts requests by their names.
type requests struct {
	begun func() bool

	mu     sync.Mutex
	counts map[string]int
}

func newRequests(s *stage, first func(zktest.Packet) bool) *requests {
	r := &requests{begun: func() bool { return true }, counts: map[string]int{}}
	if first == nil {
		return r
	}
	caught := s.proxy.Catch(zktest.Reply, first)
	caught.Lose()
	r.begun = func() bool {
		select {
		case <-caught.Hit():
			return true
		default:
			return false
		}
	}
	return r
}

// count returns how many of that name there were, with this one.
func (r *requests) count(p zktest.Packet) int {
	if p.Op == ping || !r.begun() {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	name := nameOfRequest(p)
	r.counts[name]++
	return r.counts[name]
}

func (r *requests) seen() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.counts)
}

// tidy fails the test if anything is left, and clears the stage for the next act. The end
// of a session can leave a directory, which the next lock removes. What a cancelled act
// leaves behind it removes later.
func (s *stage) tidy(k struck) {
	s.t.Helper()
	if k.cancels || k.servers {
		s.WaitChildren(testDir, 0)
	}
	if k.cancels {
		s.ours.settles()
	}
	if k.expires && s.Exists(testDir) && len(s.Children(testDir)) == 0 {
		release(s.t, s.other.lock(dirOf(s.Space)))
	}
	if k.cancels {
		s.WaitGone(testDir)
	}
	s.Sync()
	tree := s.Tree()
	if !slices.Equal(tree, []string{DefaultRoot}) && (!k.cancels || len(tree) > 0) {
		s.t.Errorf("there is %q", tree)
		return
	}
	for range tree {
		s.Delete(DefaultRoot)
	}
}

// settles waits until nothing uses the client's session any more, and ends it. A cancelled
// act goes on in the background for as long as it has something to remove.
func (c *client) settles() {
	c.tb.Helper()
	session := c.session()
	done := session.Use()
	session.Retire()
	done()
	await(c.tb, "the end of what was cancelled", session.Lost())
}

// nameOfRequest tells requests apart.
func nameOfRequest(p zktest.Packet) string {
	if len(p.Body) < 4 {
		return "something else"
	}
	number := int(binary.BigEndian.Uint32(p.Body)) // the length of the path, or the first kind of a transaction
	path := ""
	if p.Op != zktest.OpMulti {
		path = string(p.Body[4:min(len(p.Body), 4+number)])
	}
	isDir := strings.HasSuffix(path, testDir)
	switch {
	case promotion(p):
		return "promote"
	case p.Op == zktest.OpMulti && bytes.Contains(p.Body, []byte(noteEnd)):
		return "break"
	case p.Op == zktest.OpMulti && number == int(zktest.OpCreate):
		return "create all"
	case p.Op == zktest.OpMulti && number == int(zktest.OpCheck):
		return "check"
	case p.Op == zktest.OpMulti:
		return "delete all"
	case p.Op == zktest.OpCreate && strings.HasSuffix(path, DefaultRoot):
		return "create the root"
	case p.Op == zktest.OpCreate:
		return "create the contender"
	case p.Op == zktest.OpDelete && isDir:
		return "delete the directory"
	case p.Op == zktest.OpDelete:
		return "delete the contender"
	case p.Op == zktest.OpGetData && bytes.HasSuffix(p.Body, []byte{1}):
		return "watch"
	case p.Op == zktest.OpGetData:
		return "read"
	case p.Op == zktest.OpChildren:
		return "list"
	case p.Op == zktest.OpExists:
		return "look at a znode"
	case p.Op == zktest.OpSetData:
		return "write"
	case p.Op == zktest.OpGetACL:
		return "look at the directory"
	}
	return "something else"
}
