// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"errors"
	"strings"
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// restrict lets everyone create, read and write, but not delete, in the lock's directory.
func restrict(t *testing.T, space *zktest.Space, perms int32) {
	t.Helper()
	if _, err := space.Conn().SetACL(dirOf(space), zk.WorldACL(perms), -1); err != nil {
		t.Fatal(err)
	}
}

// A server that will not delete our contender: the error names it, and it goes with the
// session, which is closed if nothing else needs it. Later it must not hold the lock.
func TestAContenderThatCannotBeDeletedIsNamed(t *testing.T) {
	t.Parallel()
	for name, needed := range map[string]bool{"by a session that nothing else needs": false, "by a session that another lock needs": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			held := s.other.lock(dirOf(s.Space))
			restrict(t, s.Space, zk.PermAll&^zk.PermDelete)
			var other *Lock
			if needed {
				other = s.ours.lock(s.Path(DefaultRoot) + "/other")
			}
			req := s.plain()
			req.Wait = 0
			_, err := Acquire(bounded(t), s.ours.sessions, req)
			if !errors.Is(err, ErrBusy) {
				t.Errorf("the acquire ends with %v", err)
			}
			var left *LeftError
			if named := errors.As(err, &left); named != needed {
				t.Errorf("the error is %v, names the contender: %t, want %t", err, named, needed)
			} else if needed && !strings.Contains(err.Error(), left.Znode) {
				t.Errorf("%q does not name %s", err, left.Znode)
			}
			if needed {
				if other.Err() != nil {
					t.Errorf("the other lock is lost by %v", other.Err())
				}
				if !s.Exists(left.Znode[len(s.Chroot()):]) {
					t.Errorf("%s is not there", left.Znode)
				}
				// The next lock is taken with another session.
				next := s.ours.lock(s.Path(DefaultRoot) + "/next")
				if next.node.session == other.node.session {
					t.Error("a session that is to be closed is given to others")
				}
				release(t, next)
				release(t, other) // and the session goes
			}
			s.WaitChildren(testDir, 1)
			restrict(t, s.Space, zk.PermAll)
			release(t, held)
			release(t, s.other.lock(dirOf(s.Space)))
		})
	}
}

// The same of a lock that is held: it goes with its session.
func TestALockThatCannotBeDeletedGoesWithItsSession(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	l := s.ours.lock(dirOf(s.Space))
	restrict(t, s.Space, zk.PermAll&^zk.PermDelete)
	release(t, l)
	s.WaitChildren(testDir, 0)
	restrict(t, s.Space, zk.PermAll)
	release(t, s.other.lock(dirOf(s.Space)))
}

// One who waits leaves a session that is to be closed because of another znode: who holds
// the lock may wait for that znode to go.
func TestAWaiterLeavesASessionThatIsToBeClosed(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	stays := s.ours.lock(dirOf(s.Space))
	elsewhere := s.Path(DefaultRoot) + "/other"
	held := s.other.lock(elsewhere)
	waiting := s.ours.queue(s.ours.request(elsewhere))
	restrict(t, s.Space, zk.PermAll&^zk.PermDelete)
	if left := (*LeftError)(nil); !errors.As(stays.Release(bounded(t)), &left) {
		t.Error("the znode that stays is not named")
	}
	s.WaitChildren(testDir, 0)
	restrict(t, s.Space, zk.PermAll)
	release(t, held)
	release(t, waiting.get())
	release(t, s.other.lock(dirOf(s.Space)))
}

// A release that gives up while the network is away goes on, and so does what an acquire
// leaves that has failed.
func TestADeletionGoesOnWhenTheNetworkIsBack(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	l := s.ours.lock(dirOf(s.Space))
	waiting := s.other.queue(s.plain())
	s.proxy.Refuse()
	if err := l.Release(ended(t)); !errors.Is(err, errCancelled) {
		t.Errorf("the release ends with %v", err)
	}
	s.proxy.Accept()
	next := waiting.get()
	release(t, l)
	release(t, next)
}
