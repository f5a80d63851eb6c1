// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"errors"
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// A break needs the rights to it, and says so. Without the right to leave a note it does
// without.
func TestBreakRespectsACLs(t *testing.T) {
	t.Parallel()
	const all = zk.PermAll
	for name, test := range map[string]struct {
		root, dir, node int32
		refused, told   bool
	}{
		"all":                              {all, all, all, false, true},
		"no deleting in the directory":     {all, all &^ zk.PermDelete, all, true, false},
		"no creating in the directory":     {all, all &^ zk.PermCreate, all, false, true},
		"no creating beside the directory": {all &^ zk.PermCreate, all, all, false, false},
		"no listing":                       {all, all &^ zk.PermRead, all, true, false},
		"no reading of the holder":         {all, all, all &^ zk.PermRead, true, false},
		"no writing to a holder":           {all, all, all &^ zk.PermWrite, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			l := s.newHolder().lock(dirOf(s.Space))
			told := noted(t, l)
			paths := map[string]int32{DefaultRoot: test.root, testDir: test.dir, l.Znode()[len(s.Chroot()):]: test.node}
			for path, perms := range paths {
				if _, err := s.Conn().SetACL(s.Path(path), zk.WorldACL(perms), -1); err != nil {
					t.Fatal(err)
				}
			}
			done, err := Break(bounded(t), s.ours.sessions, s.breaking(l.Znode()))
			if errors.Is(err, zookeeper.ErrNoAuth) != test.refused || done.Told != test.told {
				t.Errorf("it ends with %+v, %v", done, err)
			}
			if _, err := s.Conn().SetACL(s.Path(DefaultRoot), zk.WorldACL(all), -1); err != nil {
				t.Fatal(err)
			}
			if test.refused {
				s.Delete(l.Znode()[len(s.Chroot()):])
			}
			want := map[bool]string{true: "carol@ops incident 4711", false: "nobody"}[test.told]
			if got := <-told; got != want {
				t.Errorf("the holder is told by %q, want %q", got, want)
			}
			release(t, l)
			if s.Exists(testDir) {
				s.Delete(testDir) // whose ACL is not ours any more
			}
		})
	}
}

// A lock that is its owner's alone is broken by its owner, and by nobody else.
func TestBreakOfAReservedLock(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	alice := owner(t, s.Addr())
	reserve(t, alice, s.Path(DefaultRoot))
	alice.data.Run = newRunID()
	l := alice.lock(dirOf(s.Space))
	told := noted(t, l)
	for who, other := range others(t, s.Addr()) {
		if done, err := Break(bounded(t), other.sessions, s.breaking(l.Znode())); !errors.Is(err, zookeeper.ErrNoAuth) {
			t.Errorf("%s breaks it: %+v, %v", who, done, err)
		}
	}
	if l.Err() != nil {
		t.Errorf("it is lost by %v", l.Err())
	}
	if done := owner(t, s.Addr()).breaks(s.breaking(l.Znode())); !done.Told {
		t.Errorf("it was %+v", done)
	}
	if got := <-told; got != "carol@ops incident 4711" {
		t.Errorf("the holder is told %q", got)
	}
	release(t, l)
}
