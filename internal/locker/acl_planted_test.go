// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"errors"
	"strings"
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// planted is a server that knows all schemes of ACLs, on which somebody has made the
// lock's directory before its owner came.
type planted struct {
	*zktest.Space
	t                *testing.T
	secure           string // address
	servers, clients *zktest.Authority
}

func newPlanted(t *testing.T) *planted {
	t.Helper()
	p := &planted{t: t, servers: zktest.NewAuthority(t), clients: zktest.NewAuthority(t)}
	server, secure := zktest.OwnSecure(t, zktest.Options{Config: map[string]string{
		"authProvider.1": "org.apache.zookeeper.server.auth.SASLAuthenticationProvider",
	}}, p.servers.Server(t, "127.0.0.1"), p.clients)
	p.secure, p.Space = secure, zktest.NewSpaceOn(t, server)
	p.Create(DefaultRoot, nil, zktest.Persistent)
	return p
}

// tryWith has the client take the lock in a directory with the ACL, which then is empty
// and goes.
func (p *planted) tryWith(c *client, acl []zk.ACL) error {
	p.t.Helper()
	if _, err := p.Conn().Create(dirOf(p.Space), nil, 0, acl); err != nil {
		p.t.Fatal(err)
	}
	l, err := Acquire(bounded(p.t), c.sessions, c.request(dirOf(p.Space)))
	if l != nil {
		release(p.t, l)
	}
	if children := p.Children(testDir); len(children) != 0 {
		p.t.Errorf("there is %q", children)
	}
	if p.Exists(testDir) {
		p.Delete(testDir)
	}
	return err
}

// A directory that is there already can let others in, whatever our own znodes are. It is
// refused with the name of who may change it: anybody but us, by any scheme.
func TestDirectoryOfOthersIsRefused(t *testing.T) {
	t.Parallel()
	p := newPlanted(t)
	alice := owner(t, p.Addr())
	hers := func(perms int32) zk.ACL { return zk.DigestACL(perms, "alice", "wonderland")[0] }
	const all, use = zk.PermAll, zk.PermCreate | zk.PermDelete | zk.PermRead
	for name, test := range map[string]struct {
		theirs []zk.ACL
		hers   zk.ACL
		who    string // is refused for; "" is not refused
	}{
		"all to everyone":       {zk.WorldACL(all), hers(all), "world:anyone (rwcda)"},
		"create to everyone":    {zk.WorldACL(zk.PermRead | zk.PermCreate), hers(all), "world:anyone (rc)"},
		"delete to everyone":    {zk.WorldACL(zk.PermRead | zk.PermDelete), hers(all), "world:anyone (rd)"},
		"write to everyone":     {zk.WorldACL(zk.PermRead | zk.PermWrite), hers(all), "world:anyone (rw)"},
		"change to everyone":    {zk.WorldACL(zk.PermRead | zk.PermAdmin), hers(all), "world:anyone (ra)"},
		"read to everyone":      {zk.WorldACL(zk.PermRead), hers(all), ""},
		"all addresses":         {[]zk.ACL{{Perms: use, Scheme: "ip", ID: "0.0.0.0/0"}}, hers(all), "ip:0.0.0.0/0 (rcd)"},
		"this address":          {[]zk.ACL{{Perms: zk.PermDelete, Scheme: "ip", ID: "127.0.0.1"}}, hers(all), "ip:127.0.0.1 (d)"},
		"another user":          {zk.DigestACL(all, "mallory", "wonderland"), hers(all), "digest:mallory (rwcda)"},
		"another user's delete": {zk.DigestACL(zk.PermDelete, "mallory", "x"), hers(all), "digest:mallory (d)"},
		"another user's look":   {zk.DigestACL(zk.PermRead, "mallory", "x"), hers(all), ""},
		"her name":              {zk.DigestACL(all, "alice", "guessed"), hers(all), "digest:alice (rwcda)"},
		"a certificate":         {[]zk.ACL{{Perms: all, Scheme: "x509", ID: "CN=mallory"}}, hers(all), "x509:CN=mallory (rwcda)"},
		"Kerberos":              {[]zk.ACL{{Perms: use, Scheme: "sasl", ID: "mallory@EXAMPLE.ORG"}}, hers(all), "sasl:mallory@EXAMPLE.ORG (rcd)"},
		"several": {
			append(zk.WorldACL(all), zk.ACL{Perms: all, Scheme: "ip", ID: "10.0.0.0/8"}, zk.ACL{Perms: all, Scheme: "ip", ID: "11.0.0.0/8"},
				zk.ACL{Perms: all, Scheme: "ip", ID: "12.0.0.0/8"}, zk.ACL{Perms: all, Scheme: "ip", ID: "13.0.0.0/8"}), hers(all), "ip:11.0.0.0/8 (rwcda) and 2 more",
		},
		// She is not shown her digest there.
		"no more than she needs": {zk.WorldACL(zk.PermRead), hers(use), ""},
		"no more, and another":   {zk.DigestACL(zk.PermCreate, "mallory", "x"), hers(use), "digest:mallory (c)"},
	} {
		err := p.tryWith(alice, append(test.theirs, test.hers))
		if test.who == "" && err != nil || test.who != "" && (!errors.Is(err, ErrNotReserved) || !strings.Contains(err.Error(), dirOf(p.Space)+", by") || !strings.Contains(err.Error(), test.who)) {
			t.Errorf("%s: want a refusal because of %q, got %v", name, test.who, err)
		}
	}
}

// Whose name anybody knows, as that in a certificate, can be let in by anybody, who then
// hides behind a digest that is not shown.
func TestHiddenDigestIsNobodysWhereACertificateLetsIn(t *testing.T) {
	t.Parallel()
	p := newPlanted(t)
	alice, identity := owner(t, p.secure), p.clients.Client(t, "team")
	alice.cfg.TLS = &zookeeper.TLS{CA: p.servers.CA, Cert: identity.Cert, Key: zookeeper.NewSecret(identity.Key)}
	const use = zk.PermCreate | zk.PermDelete | zk.PermRead
	team := func(perms int32) []zk.ACL { return []zk.ACL{{Perms: perms, Scheme: "x509", ID: "CN=team"}} }
	mallorys := zk.DigestACL(zk.PermAll, "alice", "known to mallory")
	hers := zk.DigestACL(zk.PermAll, "alice", "wonderland")
	for name, test := range map[string]struct {
		acl     []zk.ACL
		refused bool
	}{
		"her certificate and another's password": {append(team(use), mallorys...), true},
		"the same, shown":                        {append(team(zk.PermAll), mallorys...), true},
		"both of hers":                           {append(team(zk.PermAll), hers...), false},
		"her certificate":                        {team(use), false},
	} {
		if err := p.tryWith(alice, test.acl); test.refused != errors.Is(err, ErrNotReserved) || !test.refused && err != nil {
			t.Errorf("%s: refused %t, got %v", name, test.refused, err)
		}
	}
}

// What a directory's ACL says is looked at again when the lock is free.
func TestDirectoryThatIsOpenedWhileWaitingIsRefused(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	held := owner(t, space.Addr()).lock(dirOf(space))
	alice := owner(t, space.Addr())
	waiting := alice.queue(alice.request(dirOf(space)))
	mallorys := append(zk.DigestACL(zk.PermAll, "mallory", "x"), zk.DigestACL(zk.PermAll, "alice", "wonderland")...)
	if _, err := space.Conn().SetACL(dirOf(space), append(mallorys, zk.WorldACL(zk.PermRead)...), -1); err != nil {
		t.Fatal(err)
	}
	release(t, held)
	if l, err := waiting.end(); l != nil || !errors.Is(err, ErrNotReserved) || !strings.Contains(err.Error(), "digest:mallory (rwcda)") {
		t.Errorf("want a refusal because of mallory, got %v, %v", l, err)
	}
	if space.Exists(testDir) {
		space.Delete(testDir)
	}
}

// Who may do all above a reserved lock's directory can neither break the lock while it is
// held nor get past those who wait.
func TestWhatIsAboveBreaksNoHeldLock(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	space.Create(DefaultRoot, nil, zktest.Persistent)
	held := owner(t, space.Addr()).lock(dirOf(space))
	another := owner(t, space.Addr())
	waiting := another.queue(another.request(dirOf(space)))
	mallory := strangers(t, space)["another user"]
	mine := zk.DigestACL(zk.PermAll, "bob", "wonderland")
	if _, err := mallory.SetACL(space.Path(DefaultRoot), append(mine, zk.WorldACL(zk.PermRead)...), -1); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"the directory": mallory.Delete(dirOf(space), -1),
		"the root":      mallory.Delete(space.Path(DefaultRoot), -1),
		"all at once":   replace(mallory, held.Znode(), dirOf(space), mine),
	} {
		if !errors.Is(err, zk.ErrNotEmpty) && !errors.Is(err, zk.ErrNoAuth) {
			t.Errorf("%s can be deleted: %v", what, err)
		}
	}
	if held.Err() != nil {
		t.Errorf("the lock: %v", held.Err())
	}
	release(t, held)
	release(t, waiting.get())
	if space.Exists(testDir) {
		space.Delete(testDir) // which mallory lets nobody else delete
	}
}
