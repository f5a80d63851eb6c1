// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"crypto/sha1" //nolint:gosec // as ZooKeeper has it
	"encoding/base64"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

func alice() Digest { return Digest{Username: "alice", Password: NewSecret("wonderland")} }

// owner is a config for alice, who keeps what she creates to herself.
func owner(addr string) Config {
	cfg := config(addr)
	cfg.Auth, cfg.Creator = alice(), true
	return cfg
}

// digestID is a user as ZooKeeper knows it.
func digestID(username, password string) string {
	sum := sha1.Sum([]byte(username + ":" + password)) //nolint:gosec // as ZooKeeper has it
	return username + ":" + base64.StdEncoding.EncodeToString(sum[:])
}

func TestACLOfWhatIsCreated(t *testing.T) {
	t.Parallel()
	servers, clients := zktest.NewAuthority(t), zktest.NewAuthority(t)
	server, secure := zktest.OwnSecure(t, zktest.Options{}, servers.Server(t, loopback), clients)
	space := zktest.NewSpaceOn(t, server)
	byCertificate := encrypted(secure, as(clients.Client(t, "team"), servers.CA))
	byCertificate.Creator = true
	byBoth := byCertificate
	byBoth.Auth = alice()
	named, unused := config(space.Addr()), byCertificate
	named.Auth, unused.Creator = alice(), false

	everyone := zk.ACL{Perms: zk.PermAll, Scheme: "world", ID: "anyone"}
	readers := zk.ACL{Perms: zk.PermRead, Scheme: "world", ID: "anyone"}
	user := zk.ACL{Perms: zk.PermAll, Scheme: "digest", ID: digestID("alice", "wonderland")}
	subject := zk.ACL{Perms: zk.PermAll, Scheme: "x509", ID: "CN=team"}
	for name, test := range map[string]struct {
		cfg  Config
		want []zk.ACL
	}{
		"open":                        {config(space.Addr()), []zk.ACL{everyone}},
		"open of a user":              {named, []zk.ACL{everyone}},
		"open of a certificate":       {unused, []zk.ACL{everyone}},
		"creator, a user":             {owner(space.Addr()), []zk.ACL{user, readers}},
		"creator, a certificate":      {byCertificate, []zk.ACL{subject, readers}},
		"creator, both at the server": {byBoth, []zk.ACL{subject, user, readers}},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, test.cfg)
			paths := []string{
				mustCreate(t, s, space.Path("/persistent"), Persistent),
				mustCreate(t, s, space.Path("/ephemeral"), Ephemeral),
				mustCreate(t, s, space.Path("/sequential-"), EphemeralSequential),
			}
			results, err := s.Multi(bounded(t), Create(space.Path("/multi"), nil, Persistent), Create(space.Path("/multi/a-"), nil, EphemeralSequential))
			if err != nil {
				t.Fatal(err)
			}
			paths = append(paths, results[0].Path, results[1].Path)
			for _, path := range slices.Backward(paths) {
				got, _, err := space.Conn().GetACL(path)
				if err != nil || !sameACL(got, test.want) {
					t.Errorf("%s has the ACL %v, want %v; %v", path, got, test.want, err)
				}
				if err := s.Delete(bounded(t), path); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func sameACL(a, b []zk.ACL) bool {
	for _, entry := range a {
		if !slices.Contains(b, entry) {
			return false
		}
	}
	return len(a) == len(b)
}

func TestOthersCanOnlyRead(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	hers := open(t, owner(space.Addr()))
	dir := mustCreate(t, hers, space.Path("/dir"), Persistent)
	node := mustCreate(t, hers, dir+"/node", Ephemeral)

	bob, forger, same := config(space.Addr()), owner(space.Addr()), owner(space.Addr())
	bob.Auth = Digest{Username: "bob", Password: alice().Password}
	forger.Auth.Password = NewSecret("guessed")
	for name, test := range map[string]struct {
		cfg  Config
		want error
	}{
		"nobody":                         {config(space.Addr()), ErrNoAuth},
		"another with her password":      {bob, ErrNoAuth},
		"her name with another password": {forger, ErrNoAuth},
		"herself":                        {same, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, test.cfg)
			ctx := bounded(t)
			for what, request := range map[string]func() error{
				"set":    func() error { return s.Set(ctx, node, nil, -1) },
				"create": func() error { _, err := s.Create(ctx, dir+"/other", nil, Ephemeral); return err },
				"multi":  func() error { _, err := s.Multi(ctx, Set(dir, nil, -1)); return err },
			} {
				if err := request(); !errors.Is(err, test.want) || !Answered(err) && err != nil {
					t.Errorf("%s: want %v, got %v", what, test.want, err)
				}
			}
			if err := s.Delete(ctx, dir+"/other"); !errors.Is(err, test.want) && !errors.Is(err, ErrNoNode) {
				t.Errorf("delete: %v", err)
			}
			if test.want != nil {
				if err := s.Delete(ctx, node); !errors.Is(err, test.want) {
					t.Errorf("delete: want %v, got %v", test.want, err)
				}
			}
			if _, err := s.Get(ctx, node); err != nil {
				t.Errorf("get: %v", err)
			}
			if listing, err := s.Children(ctx, dir); err != nil || !slices.Contains(listing.Names, "node") {
				t.Errorf("list: %q, %v", listing.Names, err)
			}
		})
	}
	for _, path := range []string{node, dir} {
		if err := hers.Delete(bounded(t), path); err != nil {
			t.Error(err)
		}
	}
}

// The digest has to be said again on each connection.
func TestUserSurvivesARestart(t *testing.T) {
	t.Parallel()
	server := zktest.Own(t, zktest.Options{})
	space := zktest.NewSpaceOn(t, server)
	s := open(t, owner(server.Addr()))
	path := mustCreate(t, s, space.Path("/a"), Ephemeral)
	for range 2 {
		if err := server.Restart(bounded(t)); err != nil {
			t.Fatal(err)
		}
		for range 10 {
			if err := again(func() error { return s.Set(bounded(t), path, nil, -1) }); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := again(func() error { return s.Delete(bounded(t), path) }); err != nil {
		t.Error(err)
	}
}

// A connection that breaks while the user is told is no reason to give up.
func TestOpenTellsTheUserAgain(t *testing.T) {
	t.Parallel()
	const opAuth zktest.Op = 100
	for name, side := range map[string]zktest.Side{"request": zktest.Request, "reply": zktest.Reply} {
		t.Run(name+" lost", func(t *testing.T) {
			t.Parallel()
			space := zktest.NewSpace(t)
			proxy := zktest.NewProxy(t, space.Server())
			caught := proxy.Catch(side, func(p zktest.Packet) bool { return p.Op == opAuth })
			caught.Lose()
			s := open(t, owner(proxy.Addr()))
			caught.Wait()
			path := mustCreate(t, s, space.Path("/a"), Ephemeral)
			if err := s.Delete(bounded(t), path); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestNobodyCannotReserve(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	cfg := config(space.Addr())
	cfg.Creator = true
	if _, err := open(t, cfg).Create(bounded(t), space.Path("/a"), nil, Ephemeral); !errors.Is(err, ErrInvalidACL) || !Answered(err) {
		t.Errorf("want ErrInvalidACL, got %v", err)
	}
}

func TestPoolSharesNothingWithAnotherUser(t *testing.T) {
	t.Parallel()
	p := newPool(t)
	space := zktest.NewSpace(t)
	base := owner(space.Addr())
	base.Kerberos = &Kerberos{Principal: "alice", KeytabFile: "/keytab"}
	base.TLS = &TLS{CA: "authority", Cert: "certificate", Key: NewSecret("key")}
	for name, change := range map[string]func(*Config){
		"another user":        func(c *Config) { c.Auth.Username = "bob" },
		"another password":    func(c *Config) { c.Auth.Password = NewSecret("guessed") },
		"nobody":              func(c *Config) { c.Auth = Digest{} },
		"open to all":         func(c *Config) { c.Creator = false },
		"plain text":          func(c *Config) { c.TLS = nil },
		"an empty tls":        func(c *Config) { c.TLS = &TLS{} },
		"another CA":          func(c *Config) { c.TLS.CA = "other" },
		"another certificate": func(c *Config) { c.TLS.Cert = "other" },
		"another key":         func(c *Config) { c.TLS.Key = NewSecret("other") },
		"another server name": func(c *Config) { c.TLS.ServerName = "other" },
		"another principal":   func(c *Config) { c.Kerberos.Principal = "bob" },
		"another keytab":      func(c *Config) { c.Kerberos.Keytab = NewSecret("other") },
		"another realm":       func(c *Config) { c.Kerberos.Configuration = "/other" },
		"no Kerberos":         func(c *Config) { c.Kerberos = nil },
		"an empty Kerberos":   func(c *Config) { c.Kerberos = &Kerberos{} },
		"a SASL password":     func(c *Config) { c.SASL.Password = NewSecret("other") },
		"unverified":          func(c *Config) { c.TLS.InsecureSkipVerify = true },
	} {
		other, by, user := base, *base.TLS, *base.Kerberos
		other.TLS, other.Kerberos = &by, &user
		if keyOf(other) != keyOf(base) {
			t.Fatal("the same is not the same")
		}
		if change(&other); keyOf(other) == keyOf(base) {
			t.Errorf("%s shares the session", name)
		}
	}
	plain := owner(space.Addr())
	hers := mustSession(t, p, plain)
	plain.Auth.Username = "bob"
	if his := mustSession(t, p, plain); his == hers || his.ID() == hers.ID() {
		t.Error("two users share a session")
	}
}

func TestPoolDoesNotMindTheOrderOfServers(t *testing.T) {
	t.Parallel()
	p := newPool(t)
	space := zktest.NewSpace(t)
	dead := deadServer(t)
	cfg := config(space.Addr(), dead)
	s := mustSession(t, p, cfg)
	cfg.Servers = []string{dead, space.Addr()}
	if mustSession(t, p, cfg) != s {
		t.Error("the same servers in another order are others")
	}
	cfg.ConnectTimeout += time.Second
	if mustSession(t, p, cfg) == s {
		t.Error("another timeout makes no difference")
	}
}
