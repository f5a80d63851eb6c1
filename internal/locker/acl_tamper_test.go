// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// strangers are clients beside the owner, who use ZooKeeper by hand.
func strangers(t *testing.T, space *zktest.Space) map[string]*zk.Conn {
	t.Helper()
	conns := map[string]*zk.Conn{}
	for who, user := range map[string]string{"nobody": "", "another user": "bob:wonderland", "her name with another password": "alice:guessed"} {
		conn := space.NewSession(30 * time.Second)
		if user != "" {
			if err := conn.AddAuth("digest", []byte(user)); err != nil {
				t.Fatal(err)
			}
		}
		conns[who] = conn
	}
	return conns
}

// No request of a stranger's changes who holds a reserved lock, or who is next.
func TestReservedLockCannotBeTamperedWith(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	another := owner(t, space.Addr())
	reserve(t, another, space.Path(DefaultRoot))
	held := owner(t, space.Addr()).lock(dirOf(space))
	waiting := another.queue(another.request(dirOf(space)))
	conns, before := strangers(t, space), space.Tree()
	everyone := zk.WorldACL(zk.PermAll)
	dir, root, znode := dirOf(space), space.Path(DefaultRoot), held.Znode()
	create := func(path string, flags int32) func(*zk.Conn) error {
		return func(c *zk.Conn) error { _, err := c.Create(path, nil, flags, everyone); return err }
	}
	remove := func(path string) func(*zk.Conn) error {
		return func(c *zk.Conn) error { return c.Delete(path, -1) }
	}
	set := func(path string) func(*zk.Conn) error {
		return func(c *zk.Conn) error { _, err := c.Set(path, []byte("mine"), -1); return err }
	}
	open := func(path string) func(*zk.Conn) error {
		return func(c *zk.Conn) error { _, err := c.SetACL(path, everyone, -1); return err }
	}
	for what, attack := range map[string]func(*zk.Conn) error{
		"a contender before all":        create(dir+"/ex-0__lock__-000000001", zk.FlagEphemeral),
		"a contender behind all":        create(dir+"/ex-0__lock__", zk.FlagEphemeral|zk.FlagSequence),
		"a contender for good":          create(dir+"/ex-0__lock__0000000000", 0),
		"a child that stalls the gem":   create(dir+"/readme", 0),
		"another lock":                  create(root+"/other", 0),
		"the contender deleted":         remove(znode),
		"the directory deleted":         remove(dir),
		"the root deleted":              remove(root),
		"the contender's data":          set(znode),
		"the directory's data":          set(dir),
		"the root's data":               set(root),
		"the contender's ACL":           open(znode),
		"the directory's ACL":           open(dir),
		"the root's ACL":                open(root),
		"all replaced in a transaction": func(c *zk.Conn) error { return replace(c, znode, dir, everyone) },
	} {
		for who, conn := range conns {
			if err := attack(conn); !errors.Is(err, zk.ErrNoAuth) && !errors.Is(err, zk.ErrNotEmpty) {
				t.Errorf("%s, by %s: %v; want a refusal", what, who, err)
			}
		}
	}
	for who, conn := range conns {
		// The digest of her password is for the owner and the superuser to see.
		acl, _, err := conn.GetACL(znode)
		if hers := (zk.ACL{Perms: zk.PermAll, Scheme: "digest", ID: "alice:x"}); err != nil || !slices.Contains(acl, hers) {
			t.Errorf("%s sees the ACL %v; %v", who, acl, err)
		}
	}
	if tree := space.Tree(); !slices.Equal(tree, before) || held.Err() != nil {
		t.Errorf("there is %q, before it was %q; the lock: %v", tree, before, held.Err())
	}
	release(t, held)
	release(t, waiting.get())
}

// replace tries to have a directory for its own.
func replace(c *zk.Conn, znode, dir string, acl []zk.ACL) error {
	_, err := c.Multi(&zk.DeleteRequest{Path: znode, Version: -1}, &zk.DeleteRequest{Path: dir, Version: -1},
		&zk.CreateRequest{Path: dir, Acl: acl})
	return err
}

// Where everyone may write above a reserved lock's directory, a stranger can make
// that directory while nobody has it. Its owner is refused then: she never holds
// a lock that others could take or break. In a chroot that she has reserved nobody gets
// in the way.
func TestStrangerInTheWayBetweenHolds(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	alice := owner(t, space.Addr())
	stranger := strangers(t, space)["another user"]
	release(t, alice.lock(dirOf(space)))
	if err := stranger.Delete(space.Path(DefaultRoot), -1); err != nil {
		t.Fatal(err)
	}
	if _, err := stranger.Create(space.Path(DefaultRoot), nil, 0, zk.WorldACL(zk.PermAll)); err != nil {
		t.Fatal(err)
	}
	for want, acl := range map[error][]zk.ACL{
		ErrNotReserved:      zk.WorldACL(zk.PermAll),
		zookeeper.ErrNoAuth: append(zk.DigestACL(zk.PermAll, "bob", "wonderland"), zk.WorldACL(zk.PermRead)...),
	} {
		if _, err := stranger.Create(dirOf(space), nil, 0, acl); err != nil {
			t.Fatal(err)
		}
		if l, err := Acquire(bounded(t), alice.sessions, alice.request(dirOf(space))); l != nil || !errors.Is(err, want) {
			t.Errorf("want %v, got %v, %v", want, l, err)
		}
		if err := stranger.Delete(dirOf(space), -1); err != nil {
			t.Error(err)
		}
	}

	chroot := space.Path("/team")
	reserve(t, alice, chroot, chroot+DefaultRoot)
	release(t, alice.lock(Directory(chroot, DefaultRoot, "test")))
	for _, path := range []string{chroot + DefaultRoot, chroot} {
		if err := stranger.Delete(path, -1); !errors.Is(err, zk.ErrNoAuth) && !errors.Is(err, zk.ErrNotEmpty) {
			t.Errorf("%s is deleted between two holds: %v", path, err)
		}
	}
	if _, err := stranger.Create(Directory(chroot, DefaultRoot, "test"), nil, 0, zk.WorldACL(zk.PermAll)); !errors.Is(err, zk.ErrNoAuth) {
		t.Errorf("the directory is made between two holds: %v", err)
	}
	for _, path := range []string{chroot + DefaultRoot, chroot} {
		if err := alice.session().Delete(bounded(t), path); err != nil {
			t.Error(err)
		}
	}
}

// The root that an acquire makes is everyone's to have locks in, and its maker's alone to
// change: other users' locks are taken and released there as before.
func TestTheRootOfAReservedLockIsEveryonesToUse(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	alice := owner(t, space.Addr())
	held := alice.lock(dirOf(space))
	for who, other := range others(t, space.Addr()) {
		l, err := Acquire(bounded(t), other.sessions, other.request(space.Path(DefaultRoot)+"/other"))
		if err != nil {
			t.Errorf("%s: %v", who, err)
			continue
		}
		release(t, l)
		if space.Exists(DefaultRoot + "/other") {
			t.Errorf("%s has left the directory", who)
		}
	}
	for who, conn := range strangers(t, space) {
		if _, err := conn.SetACL(space.Path(DefaultRoot), zk.WorldACL(zk.PermAll), -1); !errors.Is(err, zk.ErrNoAuth) {
			t.Errorf("%s changes the root's ACL: %v", who, err)
		}
	}
	release(t, held)
}

// A directory whose ACL an administrator has set is kept, since the next one would be
// made without it.
func TestADirectoryWithAnACLIsKept(t *testing.T) {
	t.Parallel()
	for name, whileHeld := range map[string]bool{"set before": false, "set while it is held": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			space := zktest.NewSpace(t)
			c := newClient(t, space.Addr())
			restricted := zk.WorldACL(zk.PermRead | zk.PermCreate | zk.PermDelete)
			space.Create(DefaultRoot, nil, zktest.Persistent)
			space.Create(testDir, nil, zktest.Persistent)
			set := func() {
				if _, err := space.Conn().SetACL(dirOf(space), restricted, -1); err != nil {
					t.Fatal(err)
				}
			}
			if !whileHeld {
				set()
			}
			l := c.lock(dirOf(space))
			if whileHeld {
				set()
			}
			release(t, l)
			acl, _, err := space.Conn().GetACL(dirOf(space))
			if err != nil || !slices.Equal(acl, restricted) {
				t.Errorf("the directory has the ACL %v, %v", acl, err)
			}
			space.Delete(testDir)
		})
	}
}
