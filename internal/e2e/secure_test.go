// SPDX-License-Identifier: MPL-2.0

//go:build unix

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/testkit"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// secure is a server that wants client certificates, and what it takes to connect
// to it. Its space is looked at over its other, open port.
type secure struct {
	*zktest.Space
	server           *zktest.Server
	addr             string
	servers, clients *zktest.Authority
}

func newSecure(t *testing.T) *secure {
	t.Helper()
	s := &secure{servers: zktest.NewAuthority(t), clients: zktest.NewAuthority(t)}
	s.server, s.addr = zktest.OwnSecure(t, zktest.Options{}, s.servers.Server(t, "127.0.0.1"), s.clients)
	s.Space = zktest.NewSpaceOn(t, s.server)
	return s
}

// provider is the provider's block for the secure port, with files of a client's
// certificate, and further arguments.
func (s *secure) provider(t *testing.T, client string, arguments ...string) string {
	t.Helper()
	identity := s.clients.Client(t, client)
	return block(`provider "clocker"`, fmt.Sprintf(`
  zookeeper       = %q
  session_timeout = %d
  connect_timeout = 30
  %s
  tls {
    ca_file   = %q
    cert_file = %q
    key_file  = %q
  }`, s.addr+s.Chroot(), sessionTimeout, strings.Join(arguments, "\n"),
		zktest.WriteSecret(t, "ca.pem", s.servers.CA), zktest.WriteSecret(t, "cert.pem", identity.Cert), zktest.WriteSecret(t, "key.pem", identity.Key)))
}

const alice = "username = \"alice\"\n  password = \"wonderland\"\n  acl = \"creator\""

// A run over mutual TLS, as a user who reserves her locks: nobody else gets them,
// all see who holds them, and the holder comes back as her when the server does.
func TestReservedLockOverMutualTLS(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	gate := testkit.NewGate(t)
	hers := newQuickWorkspace(t, s.provider(t, "team", alice, `owner = "alice's run"`),
		lock("a"), lock("durable", `lockid = "reserved"`, `hold_until = "destroyed"`),
		guarded("work", "a", `"1"`, gate.Work()))
	apply := hers.Apply()
	gate.AwaitBegun()
	znode := lockDir + "/" + s.WaitChildren(lockDir, 1)[0]
	if acl := s.ACL(znode); len(acl) != 3 || rights(acl, "x509:CN=team") != all || rights(acl, "digest:alice:") != all || rights(acl, "world:anyone") != "r" {
		t.Errorf("the ACL of the lock is %v", acl)
	}

	for name, test := range map[string]struct{ provider, says string }{
		"another user":     {s.provider(t, "other", strings.ReplaceAll(alice, "alice", "bob")), `the user "bob"`},
		"another password": {s.provider(t, "other", strings.ReplaceAll(alice, "wonderland", "guessed")), `the same name with another password is another user`},
		"nobody":           {provider(s.Space), `no user: set username`},
	} {
		for _, lockid := range []string{"e2e", "reserved"} {
			w := newQuickWorkspace(t, test.provider, lock("a", fmt.Sprintf("lockid = %q", lockid), "lockwait = -1"))
			refused := w.Apply()
			refused.Fail()
			if d := refused.Err(); d.Summary != "No Permission For Lock" || !strings.Contains(unwrapped(d.Detail), test.says) {
				t.Errorf("%s: the error is %v, want %q", name, d, test.says)
			}
		}
		w := newQuickWorkspace(t, test.provider, `data "clocker_lock" "a" { lockid = "e2e" }`,
			`output "holder" { value = data.clocker_lock.a.holders[0].owner }`)
		w.Apply().Succeed()
		output := w.Start("output", "-raw", "holder")
		output.Succeed()
		if output.Stdout() != "alice's run" {
			t.Errorf("%s sees %q as the holder", name, output.Stdout())
		}
	}

	if err := s.server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	gate.End()
	apply.Succeed()
	s.WaitGone(lockDir)
	hers.Start("destroy", "-auto-approve", "-input=false").Succeed()
	s.WaitGone("/_zklocking/reserved")
}

// all rights in an ACL.
const all = "cdrwa"

// rights are those of who begins like this.
func rights(acl map[string]string, who string) string {
	for id, rights := range acl {
		if strings.HasPrefix(id, who) {
			return rights
		}
	}
	return ""
}

// A mistake is explained alike where the provider connects and where the holder
// does, and so is a warning.
func TestMistakesOfConnectingAreExplained(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	stranger := zktest.NewAuthority(t)
	for name, test := range map[string]struct{ servers, tls, says string }{
		"wrong CA":              {s.addr, fmt.Sprintf("tls {\n ca_file = %q\n }", stranger.CA), "set ca_file"},
		"no client certificate": {s.addr, fmt.Sprintf("tls {\n ca_file = %q\n }", s.servers.CA), "set cert_file and key_file"},
		"another name":          {s.addr, fmt.Sprintf("tls {\n ca_file = %q\n server_name = \"zk.example.org\"\n }", s.servers.CA), "is for another name"},
		"expired":               {s.expired(t), fmt.Sprintf("tls {\n ca_file = %q\n }", s.servers.CA), "has expired"},
		"no tls":                {s.addr, "", "then set tls"},
		"tls to an open port":   {s.Addr(), "tls {}", "leave out tls"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, body := range []string{lock("a"), `data "clocker_lock" "a" { lockid = "e2e" }`} {
				w := newQuickWorkspace(t, block(`provider "clocker"`, fmt.Sprintf("zookeeper = %q\nconnect_timeout = 5\n%s", test.servers+s.Chroot(), test.tls)), body)
				apply := w.Apply()
				apply.Fail()
				if d := apply.Err(); d.Summary != "ZooKeeper Cannot Be Reached" || !strings.Contains(unwrapped(d.Detail), test.says) {
					t.Errorf("the error is %v, want %q", d, test.says)
				}
			}
		})
	}
	t.Run("missing chroot", func(t *testing.T) {
		t.Parallel()
		s.missingChroot(t)
	})
	t.Run("unverified", func(t *testing.T) {
		t.Parallel()
		identity := s.clients.Client(t, "team")
		w := newQuickWorkspace(t, block(`provider "clocker"`, fmt.Sprintf("zookeeper = %q\ntls {\n insecure_skip_verify = true\n cert_file = %q\n key_file = %q\n}",
			s.addr+s.Chroot(), identity.Cert, identity.Key)), lock("a"))
		apply := w.Apply()
		apply.Succeed()
		if !strings.Contains(apply.Stdout(), "Servers Are Not Verified") {
			t.Error("there is no warning")
		}
	})
}

// One run on two ensembles, as two users: each lock is in its ensemble, and its user's.
// The locks of one provider block that connect alike share a session. Each
// provider block is a process of its own, and shares none with another.
func TestLocksOnTwoEnsembles(t *testing.T) {
	t.Parallel()
	first, second := zktest.NewSpaceOn(t, zktest.Own(t, zktest.Options{})), zktest.NewSpaceOn(t, zktest.Own(t, zktest.Options{}))
	as := func(alias, user, extra string) string {
		return block(`provider "clocker"`, fmt.Sprintf("%s\nzookeeper = %q\nsession_timeout = %d\nusername = %q\npassword = \"password of %s\"\nacl = \"creator\"\n%s",
			alias, first.ConnectString(), sessionTimeout, user, user, extra))
	}
	there := fmt.Sprintf("zookeeper = %q", second.ConnectString())
	gate := testkit.NewGate(t)
	// The root of each user's locks is that user's alone.
	w := newQuickWorkspace(t,
		as("", "alice", ""), as(`alias = "bob"`, "bob", `lock_root = "/bobs"`),
		lock("one", `lockid = "one"`), lock("two", `lockid = "two"`),
		lock("bobs", `lockid = "bobs"`, "provider = clocker.bob"),
		lock("there", `lockid = "there"`, there), lock("bobs_there", `lockid = "bobs-there"`, there, "provider = clocker.bob"),
		strings.Replace(guarded("work", "one", `"1"`, gate.Work()), "[clocker_lock.one]",
			"[clocker_lock.one, clocker_lock.two, clocker_lock.bobs, clocker_lock.there, clocker_lock.bobs_there]", 1))
	first.AllowEmpty("/bobs")
	second.AllowEmpty("/bobs")
	apply := w.Apply()
	gate.AwaitBegun()
	session := map[string]int64{}
	for name, lock := range map[string]struct {
		space     *zktest.Space
		dir, user string
	}{
		"one":        {first, "/_zklocking/one", "alice"},
		"two":        {first, "/_zklocking/two", "alice"},
		"bobs":       {first, "/bobs/bobs", "bob"},
		"there":      {second, "/_zklocking/there", "alice"},
		"bobs there": {second, "/bobs/bobs-there", "bob"},
	} {
		znode := lock.dir + "/" + lock.space.WaitChildren(lock.dir, 1)[0]
		_, stat := lock.space.Get(znode)
		session[name] = stat.EphemeralOwner
		if acl := lock.space.ACL(znode); len(acl) != 2 || rights(acl, "digest:"+lock.user+":") != all {
			t.Errorf("%s has the ACL %v, want %s's", name, acl, lock.user)
		}
	}
	if session["one"] != session["two"] {
		t.Error("two locks of one provider on one ensemble do not share a session")
	}
	if session["one"] == session["bobs"] || session["one"] == session["there"] || session["there"] == session["bobs there"] {
		t.Error("two users, or two ensembles, share a session")
	}
	gate.End()
	apply.Succeed()
	for _, space := range []*zktest.Space{first, second} {
		space.WaitChildren("/_zklocking", 0)
		space.WaitChildren("/bobs", 0)
	}
}
