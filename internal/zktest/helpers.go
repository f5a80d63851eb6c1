// SPDX-License-Identifier: MPL-2.0

package zktest

import (
	"context"
	"slices"
	"strings"

	"github.com/go-zookeeper/zk"
)

// Mode is what kind of znode Create creates.
type Mode int32

// The modes of Create. Ephemeral ones live as long as the Space's own session,
// that is, longer than the test may leave them: delete them.
const (
	Persistent           Mode = 0
	Ephemeral            Mode = zk.FlagEphemeral
	PersistentSequential Mode = zk.FlagSequence
	EphemeralSequential  Mode = zk.FlagEphemeral | zk.FlagSequence
)

// Create creates a znode that anyone may change and returns its path below the
// chroot, which a sequential mode has completed. Its parent must exist.
func (s *Space) Create(path string, data []byte, mode Mode) string {
	s.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	created, err := s.client.Create(ctx, path, data, mode)
	if err != nil {
		s.tb.Fatal(err)
	}
	return created
}

// Get returns the data and the stat of a znode.
func (s *Space) Get(path string) ([]byte, *zk.Stat) {
	s.tb.Helper()
	var data []byte
	var stat *zk.Stat
	s.do("get", path, func() (err error) {
		data, stat, err = s.Conn().Get(s.Path(path))
		return err
	})
	return data, stat
}

// ACL returns who may do what with a znode: for each scheme:id its permissions, of
// "cdrwa".
func (s *Space) ACL(path string) map[string]string {
	s.tb.Helper()
	rights := []struct {
		bit    int32
		letter string
	}{{zk.PermCreate, "c"}, {zk.PermDelete, "d"}, {zk.PermRead, "r"}, {zk.PermWrite, "w"}, {zk.PermAdmin, "a"}}
	acl := map[string]string{}
	s.do("get the ACL of", path, func() error {
		entries, _, err := s.Conn().GetACL(s.Path(path))
		for _, entry := range entries {
			for _, right := range rights {
				if entry.Perms&right.bit != 0 {
					acl[entry.Scheme+":"+entry.ID] += right.letter
				}
			}
		}
		return err
	})
	return acl
}

// Set overwrites the data of a znode.
func (s *Space) Set(path string, data []byte) {
	s.tb.Helper()
	s.do("set", path, func() error {
		_, err := s.Conn().Set(s.Path(path), data, -1)
		return err
	})
}

// Delete deletes znodes that have no children, all at once: nobody sees a queue's
// directory after its last contender, and deletes it first.
func (s *Space) Delete(paths ...string) {
	s.tb.Helper()
	deletes := make([]any, len(paths))
	for i, path := range paths {
		deletes[i] = &zk.DeleteRequest{Path: s.Path(path), Version: -1}
	}
	s.do("delete", strings.Join(paths, " and "), func() error {
		_, err := s.Conn().Multi(deletes...)
		return err
	})
}

// Children returns the sorted names of a znode's children; a znode that does not
// exist has none.
func (s *Space) Children(path string) []string {
	s.tb.Helper()
	var names []string
	s.do("list", path, func() (err error) {
		names, _, err = s.Conn().Children(s.Path(path))
		if isNoNode(err) {
			err = nil
		}
		return err
	})
	slices.Sort(names)
	return names
}

// Exists says whether a znode exists.
func (s *Space) Exists(path string) bool {
	s.tb.Helper()
	var exists bool
	s.do("look for", path, func() (err error) {
		exists, _, err = s.Conn().Exists(s.Path(path))
		return err
	})
	return exists
}

// Tree returns the paths of all znodes below the chroot, parents before their
// children.
func (s *Space) Tree() []string {
	s.tb.Helper()
	var tree []string
	s.do("walk", "/", func() (err error) {
		tree, err = s.client.tree()
		return err
	})
	return tree
}

// Sync waits until the server that the helpers ask knows all that the ensemble has
// committed. Without it, a member that lags behind may answer as if something that
// another one has confirmed had yet to happen.
func (s *Space) Sync() {
	s.tb.Helper()
	s.do("sync", "/", func() error {
		_, err := s.Conn().Sync("/")
		return err
	})
}

// WaitExists waits until a znode exists.
func (s *Space) WaitExists(path string) {
	s.tb.Helper()
	s.wait("wait for", path, func() (bool, <-chan zk.Event, error) {
		exists, _, changed, err := s.Conn().ExistsW(s.Path(path))
		return exists, changed, err
	})
}

// WaitGone waits until a znode does not exist.
func (s *Space) WaitGone(path string) {
	s.tb.Helper()
	s.wait("wait for the end of", path, func() (bool, <-chan zk.Event, error) {
		exists, _, changed, err := s.Conn().ExistsW(s.Path(path))
		return err == nil && !exists, changed, err
	})
}

// WaitChanged waits until a znode's data are not those of version (zk.Stat.Version)
// any more, or the znode is gone.
func (s *Space) WaitChanged(path string, version int32) {
	s.tb.Helper()
	s.wait("wait for a change of", path, func() (bool, <-chan zk.Event, error) {
		_, stat, changed, err := s.Conn().GetW(s.Path(path))
		if isNoNode(err) {
			return true, nil, nil
		}
		return err == nil && stat.Version != version, changed, err
	})
}

// WaitChildren waits until a znode has exactly n children and returns their sorted
// names. A znode that does not exist has none.
func (s *Space) WaitChildren(path string, n int) []string {
	s.tb.Helper()
	var names []string
	s.wait("wait for the children of", path, func() (done bool, changed <-chan zk.Event, err error) {
		names, changed, err = s.client.watchChildren(path)
		return err == nil && len(names) == n, changed, err
	})
	slices.Sort(names)
	return names
}

func (s *Space) do(verb, path string, request func() error) {
	s.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := try(ctx, request); err != nil {
		s.tb.Fatal(describe(err, verb, s.Path(path)))
	}
}

func (s *Space) wait(verb, path string, look func() (bool, <-chan zk.Event, error)) {
	s.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := await(ctx, look); err != nil {
		tree, _ := s.client.tree()
		s.tb.Fatalf("%v; there are %q", describe(err, verb, s.Path(path)), tree)
	}
}
