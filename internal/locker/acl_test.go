// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// as makes the client a user of the server.
func (c *client) as(username, password string) *client {
	c.cfg.Auth = zookeeper.Digest{Username: username, Password: zookeeper.NewSecret(password)}
	return c
}

// owner is a client who reserves what she creates.
func owner(tb testing.TB, addr string) *client {
	tb.Helper()
	c := newClient(tb, addr).as("alice", "wonderland")
	c.cfg.Creator = true
	return c
}

// others are clients who are not the owner.
func others(tb testing.TB, addr string) map[string]*client {
	tb.Helper()
	rival := newClient(tb, addr).as("bob", "wonderland")
	rival.cfg.Creator = true
	return map[string]*client{
		"nobody":                         newClient(tb, addr),
		"another user":                   newClient(tb, addr).as("bob", "wonderland"),
		"another user who reserves":      rival,
		"her name with another password": newClient(tb, addr).as("alice", "guessed"),
	}
}

// reserve makes a path's znodes their owner's alone, which those that an acquire makes
// above a lock's directory are not.
func reserve(tb testing.TB, owner *client, paths ...string) {
	tb.Helper()
	for _, path := range paths {
		if _, err := owner.session().Create(bounded(tb), path, nil, zookeeper.Persistent); err != nil {
			tb.Fatal(err)
		}
	}
}

// kinds are the requests for each kind of lock.
var kinds = map[string]func(*Request){
	"exclusive": func(*Request) {},
	"shared":    func(r *Request) { r.Mode = Shared },
	"semaphore": func(r *Request) { r.Slots = 2 },
	"durable":   func(r *Request) { r.Durable = true },
	"Curator's": func(r *Request) { r.Layout = Curator },
}

func TestReservedLockIsItsOwnersAlone(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpaceOn(t, zktest.Own(t, zktest.Options{}))
	alice := owner(t, space.Addr())
	strangers := others(t, space.Addr())
	reserve(t, alice, space.Path(DefaultRoot))
	for kind, change := range kinds {
		t.Run(kind, func(t *testing.T) {
			req := alice.request(dirOf(space))
			change(&req)
			held := alice.acquire(req)
			for who, other := range strangers {
				for _, wish := range kinds {
					req := other.request(dirOf(space)) // without limit: must not wait
					wish(&req)
					l, err := Acquire(bounded(t), other.sessions, req)
					if l != nil || !errors.Is(err, zookeeper.ErrNoAuth) {
						t.Errorf("%s gets %v, %v; want ErrNoAuth", who, l, err)
					}
				}
				if err := other.session().Delete(bounded(t), held.Znode()); !errors.Is(err, zookeeper.ErrNoAuth) {
					t.Errorf("%s breaks it with %v", who, err)
				}
				if req.Durable {
					if err := RemoveDurable(bounded(t), other.sessions, held.Znode()); !errors.Is(err, zookeeper.ErrNoAuth) {
						t.Errorf("%s releases it with %v", who, err)
					}
					if err := DescribeDurable(bounded(t), other.session(), held.Znode(), "mine"); !errors.Is(err, zookeeper.ErrNoAuth) {
						t.Errorf("%s describes it with %v", who, err)
					}
				}
				queue, err := Inspect(bounded(t), other.session(), dirOf(space), req.Slots)
				if err != nil || len(queue.Holders) != 1 || len(queue.Waiters) != 0 || queue.Holders[0].Data.Owner != alice.data.Owner {
					t.Errorf("%s sees %+v, %v", who, queue, err)
				}
			}
			if children := space.Children(testDir); len(children) != 1 || held.Err() != nil {
				t.Errorf("there is %q, and the lock: %v", children, held.Err())
			}
			release(t, held)
			if tree := space.Tree(); !slices.Equal(tree, []string{DefaultRoot}) {
				t.Errorf("after the release there is %q", tree)
			}
		})
	}
	// The root is hers, too.
	for who, other := range strangers {
		if l, err := Acquire(bounded(t), other.sessions, other.request(dirOf(space))); l != nil || !errors.Is(err, zookeeper.ErrNoAuth) {
			t.Errorf("between two holds %s gets %v, %v; want ErrNoAuth", who, l, err)
		}
	}
	// The space's own session is ZooKeeper's superuser. No ACL stops it.
	held := alice.lock(dirOf(space))
	space.Delete(held.Znode()[len(space.Chroot()):])
	await(t, "the loss of a lock that the superuser deleted", held.Lost())
	release(t, held)
}

// She can do all from another run, too: wait, take, describe and release.
func TestReservedLockIsAllHers(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	one, another := owner(t, space.Addr()), owner(t, space.Addr())
	held := one.lock(dirOf(space))
	req := another.request(dirOf(space))
	req.Durable = true
	waiting := another.queue(req)
	release(t, held)
	durable := waiting.get()
	if err := DescribeDurable(bounded(t), one.session(), durable.Znode(), "described"); err != nil {
		t.Error(err)
	}
	if err := RemoveDurable(bounded(t), one.sessions, durable.Znode()); err != nil {
		t.Error(err)
	}
	if tree := space.Tree(); !slices.Equal(tree, []string{DefaultRoot}) {
		t.Errorf("there is %q", tree)
	}
}

func TestReservedLockSurvivesARestart(t *testing.T) {
	t.Parallel()
	server := zktest.Own(t, zktest.Options{})
	space := zktest.NewSpaceOn(t, server)
	alice, later := owner(t, space.Addr()), owner(t, space.Addr())
	held := alice.lock(dirOf(space))
	req := later.request(dirOf(space))
	req.Durable = true // is created anew once it is held
	waiting := later.queue(req)
	if err := server.Restart(bounded(t)); err != nil {
		t.Fatal(err)
	}
	release(t, held)
	durable := waiting.get()
	if err := server.Restart(bounded(t)); err != nil {
		t.Fatal(err)
	}
	release(t, durable)
}

// As the gem and all other clients create it.
func TestOpenLockIsEveryones(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	for who, c := range map[string]*client{
		"nobody":       newClient(t, space.Addr()),
		"a known user": newClient(t, space.Addr()).as("alice", "wonderland"),
	} {
		t.Run(who, func(t *testing.T) {
			for kind, change := range kinds {
				req := c.request(Directory(space.Chroot(), "/new/root", "test"))
				change(&req)
				held := c.acquire(req)
				for _, path := range space.Tree() {
					acl, _, err := space.Conn().GetACL(space.Path(path))
					if want := zk.WorldACL(zk.PermAll); err != nil || !slices.Equal(acl, want) {
						t.Errorf("%s: %s has the ACL %v, want %v; %v", kind, path, acl, want, err)
					}
				}
				if err := newClient(t, space.Addr()).session().Delete(bounded(t), held.Znode()); err != nil {
					t.Errorf("%s: %v", kind, err)
				}
				release(t, held)
			}
			for _, path := range []string{"/new/root/test", "/new/root", "/new"} {
				if space.Exists(path) {
					space.Delete(path)
				}
			}
		})
	}
}

// Operators can make directories and keep all above them to themselves.
func TestRightsInTheDirectoryAreEnough(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpaceOn(t, zktest.Own(t, zktest.Options{}))
	alice := newClient(t, space.Addr()).as("alice", "wonderland")
	space.Create(DefaultRoot, nil, zktest.Persistent)
	space.Create(testDir, nil, zktest.Persistent)
	for path, acl := range map[string][]zk.ACL{
		DefaultRoot: zk.WorldACL(zk.PermRead),
		testDir:     append(zk.WorldACL(zk.PermRead), zk.DigestACL(zk.PermCreate|zk.PermDelete, "alice", "wonderland")...),
	} {
		if _, err := space.Conn().SetACL(space.Path(path), acl, -1); err != nil {
			t.Fatal(err)
		}
	}
	for kind, change := range kinds {
		req := alice.request(dirOf(space))
		change(&req)
		held, err := Acquire(bounded(t), alice.sessions, req)
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		release(t, held)
	}
	if children := space.Children(testDir); len(children) != 0 {
		t.Errorf("there is %q", children)
	}
	space.Delete(testDir) // not hers to delete
}

func TestMissingChroot(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpaceOn(t, zktest.Own(t, zktest.Options{}))
	alice := owner(t, space.Addr())
	for _, chroot := range []string{"/team", "/team/a/b"} {
		held := alice.lock(Directory(space.Path(chroot), DefaultRoot, "test"))
		release(t, held)
	}
	for _, path := range slices.Backward(space.Tree()) {
		space.Delete(path)
	}

	if _, err := space.Conn().SetACL(space.Path("/"), zk.WorldACL(zk.PermRead), -1); err != nil {
		t.Fatal(err)
	}
	for _, chroot := range []string{"/team", "/team/a/b"} {
		req := alice.request(Directory(space.Path(chroot), DefaultRoot, "test"))
		l, err := Acquire(bounded(t), alice.sessions, req)
		if l != nil || !errors.Is(err, zookeeper.ErrNoAuth) || !strings.Contains(err.Error(), space.Path("/team")+" does not exist") {
			t.Errorf("%s: want ErrNoAuth that names /team, got %v, %v", chroot, l, err)
		}
	}
	// The same where only the last of the path is missing.
	req := alice.request(space.Path("/test"))
	if l, err := Acquire(bounded(t), alice.sessions, req); l != nil || !errors.Is(err, zookeeper.ErrNoAuth) || !strings.Contains(err.Error(), req.Dir+" does not exist") {
		t.Errorf("want ErrNoAuth that names %s, got %v, %v", req.Dir, l, err)
	}
}
