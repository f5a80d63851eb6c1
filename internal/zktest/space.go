// SPDX-License-Identifier: MPL-2.0

package zktest

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
)

// sessionTimeout of a Space's own connection. Short enough that a test which
// pauses its server sees helpers fail rather than hang.
const sessionTimeout = 6 * time.Second

// Space is a fresh part of a ZooKeeper, a chroot of its own, for one test. At the
// end of the test it is an error if a znode is left there, other than an empty
// lock root; what is on its way out, such as the contender of a session that the
// server is closing, is given time to leave. Then the chroot is deleted.
//
// The helpers work on a session of the Space's own, which no ACL stops on servers
// that this package has started, take paths below the chroot,
// and end the test (tb.Fatal) on an error or past a bound of half a minute, so
// they belong in the goroutine of the test. Those that wait do so by watches.
type Space struct {
	tb      testing.TB
	servers []*Server
	client  *Client

	leaveTime time.Duration

	mu      sync.Mutex
	allowed map[string]bool
}

// NewSpace makes a Space on the server that the tests of this binary share: the
// one that CLOCKER_TEST_ZOOKEEPER names, else one that is started now and stopped
// by Main.
func NewSpace(tb testing.TB) *Space {
	tb.Helper()
	server, err := shared.get()
	if err != nil {
		tb.Fatal(err)
	}
	return NewSpaceOn(tb, server)
}

// NewSpaceOn makes a Space on a test's own server or on the members of its
// ensemble (see Own, OwnEnsemble). A server that is paused at the end of the test
// is resumed; where too few are running then to serve, nothing is looked for.
func NewSpaceOn(tb testing.TB, servers ...*Server) *Space {
	tb.Helper()
	client, err := Dial(addrs(servers), "/clocker-test-"+strings.ToLower(rand.Text()), sessionTimeout)
	if err != nil {
		tb.Fatal(err)
	}
	s := &Space{
		tb:        tb,
		servers:   servers,
		client:    client,
		leaveTime: leaveTime,
		allowed:   map[string]bool{"/_zklocking": true, "/_zksemaphore": true},
	}
	tb.Cleanup(s.cleanUp)
	s.do("authenticate for", "", func() error {
		return s.Conn().AddAuth("digest", []byte(superUser+":"+superPassword))
	})
	s.Create("", nil, Persistent)
	return s
}

// ConnectString is host:port[,host:port...]/chroot.
func (s *Space) ConnectString() string {
	return strings.Join(addrs(s.servers), ",") + s.client.root
}

// Addr is host:port of the (first) server.
func (s *Space) Addr() string { return s.servers[0].Addr() }

// Chroot is the absolute path of the Space.
func (s *Space) Chroot() string { return s.client.root }

// Server is the (first) server, never nil. It is shared with other tests unless the
// Space was made by NewSpaceOn: ask it, but do not stop it.
func (s *Space) Server() *Server { return s.servers[0] }

// Conn is the Space's own session. It knows no chroot: see Path.
func (s *Space) Conn() *zk.Conn { return s.client.Conn() }

// Path turns a path below the chroot into an absolute one.
func (s *Space) Path(path string) string { return s.client.Path(path) }

// NewSession opens a further session, to play another client: what it creates goes
// when it is closed, by the test or at the test's end.
func (s *Space) NewSession(timeout time.Duration) *zk.Conn {
	s.tb.Helper()
	session, err := dialSession(addrs(s.servers), timeout)
	if err != nil {
		s.tb.Fatal(err)
	}
	s.tb.Cleanup(session.close)
	return session.conn
}

// AllowEmpty names znodes that may be left at the end if nothing is below them:
// lock roots other than the default ones.
func (s *Space) AllowEmpty(paths ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, path := range paths {
		s.allowed[path] = true
	}
}

func (s *Space) cleanUp() {
	s.tb.Helper()
	defer s.client.Close()
	if !s.serving() {
		return
	}
	left, err := s.awaitEmpty()
	if err != nil {
		s.tb.Errorf("look for znodes that the test left: %v", err)
		return
	}
	if len(left) > 0 {
		s.tb.Errorf("the test left these znodes below %s:\n  %s", s.client.root, strings.Join(left, "\n  "))
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.client.DeleteAll(ctx); err != nil {
		s.tb.Errorf("delete %s: %v", s.client.root, err)
	}
}

// serving resumes what is paused and says whether the servers can answer.
func (s *Space) serving() bool {
	running := 0
	for _, server := range s.servers {
		if server.Running() {
			running++
			_ = server.Resume() // Not ours, not paused, or ending: then so be it.
		}
	}
	return 2*running > len(s.servers)
}

// awaitEmpty returns what is left that should not be, after it was given time.
func (s *Space) awaitEmpty() (left []string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), s.leaveTime)
	defer cancel()
	err = await(ctx, func() (done bool, changed <-chan zk.Event, err error) {
		tree, err := s.client.tree()
		if err != nil {
			return false, nil, err
		}
		left = slices.DeleteFunc(tree, func(path string) bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.allowed[path]
		})
		if len(left) == 0 {
			return true, nil, nil
		}
		// The last in order is no other's parent: look again once it is gone.
		exists, _, gone, err := s.Conn().ExistsW(s.Path(left[len(left)-1]))
		if err == nil && !exists {
			gone = now
		}
		return false, gone, err
	})
	if len(left) > 0 {
		return left, nil
	}
	return nil, err
}
