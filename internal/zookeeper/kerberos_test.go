// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-krb5/krb5/iana/etypeID"
	"github.com/go-krb5/krb5/keytab"
	"github.com/go-zookeeper/zk"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// by is a config for a user of Kerberos, who keeps what she creates to herself.
func by(kdc *zktest.KDC, server *zktest.Server, user Kerberos) Config {
	cfg := config(server.Localhost())
	user.Configuration = kdc.Config()
	if user.ServiceName == "" {
		user.ServiceName = "zookeeper"
	}
	cfg.Kerberos, cfg.Creator = &user, true
	cfg.SessionTimeout, cfg.ConnectTimeout = patience, patience // servers are restarted
	return cfg
}

// keeps has the session change its znode, on its next connection.
func keeps(t *testing.T, s *Session, id int64, path string) {
	t.Helper()
	ctx := bounded(t)
	err := again(func() error {
		if s.Err() != nil || ctx.Err() != nil {
			return fmt.Errorf("it is over: %v, %v, %v", s.Err(), s.Cause(), context.Cause(ctx)) //nolint:errorlint // a connection that broke would be tried again
		}
		return s.Set(ctx, path, nil, -1)
	})
	if err != nil || s.ID() != id {
		t.Errorf("the session %#x has become %#x, %v", id, s.ID(), err)
	}
}

// works has the session create a znode of its user's, and delete it.
func works(t *testing.T, s *Session, user string) {
	t.Helper()
	path := mustCreate(t, s, "/of-"+strings.ReplaceAll(user, "/", "-")+"-", EphemeralSequential)
	acl, _, err := s.conn.GetACL(path)
	if want := (zk.ACL{Perms: zk.PermAll, Scheme: "sasl", ID: user}); err != nil || !sameACL(acl, []zk.ACL{want, zk.WorldACL(zk.PermRead)[0]}) {
		t.Errorf("the ACL of what %s created is %v; %v", user, acl, err)
	}
	if err := again(func() error { return s.Delete(bounded(t), path) }); err != nil {
		t.Error(err)
	}
}

func TestKerberosLogins(t *testing.T) {
	t.Parallel()
	kdc, server := zktest.SharedKerberos(t)
	keytabFile := kdc.Keytab(t, "clocker/host.example.com", "another")
	content, err := os.ReadFile(keytabFile)
	if err != nil {
		t.Fatal(err)
	}
	kdc.User(t, "walter", "wonderland")
	file, dir := filepath.Join(t.TempDir(), "cache"), "DIR:"+t.TempDir()
	kdc.Login(t, "FILE:"+file, "walter", "wonderland")
	kdc.Login(t, dir, "walter", "wonderland")
	const host = "clocker/host.example.com@" + zktest.Realm
	for name, test := range map[string]struct {
		user Kerberos
		want string
	}{
		"keytab":                  {Kerberos{Principal: host, KeytabFile: keytabFile}, host},
		"keytab, default realm":   {Kerberos{Principal: "another", KeytabFile: keytabFile}, "another@" + zktest.Realm},
		"keytab's content":        {Kerberos{Principal: host, Keytab: NewSecret(string(content))}, host},
		"keytab of one principal": {Kerberos{KeytabFile: kdc.Keytab(t, "alone")}, "alone@" + zktest.Realm},
		"password":                {Kerberos{Principal: "walter", Password: NewSecret("wonderland")}, "walter@" + zktest.Realm},
		"cache in a file":         {Kerberos{Cache: "FILE:" + file}, "walter@" + zktest.Realm},
		"cache, principal named":  {Kerberos{Principal: "walter", Cache: file}, "walter@" + zktest.Realm},
		"cache in a directory":    {Kerberos{Cache: dir}, "walter@" + zktest.Realm},
		"whole server principal":  {Kerberos{KeytabFile: kdc.Keytab(t, "alone"), ServerPrincipal: "zookeeper/localhost@" + zktest.Realm, ServiceName: "unused"}, "alone@" + zktest.Realm},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			works(t, open(t, by(kdc, server, test.user)), test.want)
		})
	}
	t.Run("an address, with the principal of all", func(t *testing.T) {
		t.Parallel()
		cfg := by(kdc, server, Kerberos{KeytabFile: kdc.Keytab(t, "alone"), ServerPrincipal: "zookeeper/localhost"})
		cfg.Servers = []string{server.Addr()}
		works(t, open(t, cfg), "alone@"+zktest.Realm)
	})
	t.Run("beside a server without a principal", func(t *testing.T) {
		t.Parallel()
		cfg := by(kdc, server, Kerberos{KeytabFile: kdc.Keytab(t, "alone")})
		cfg.Servers = append([]string{"unknown.invalid:2181"}, cfg.Servers...)
		for range 4 { // they are tried in any order
			works(t, open(t, cfg), "alone@"+zktest.Realm)
		}
		cfg.Servers = []string{"unknown.invalid:2181", "another.invalid:2181"}
		s, err := Open(bounded(t), cfg)
		_ = connectError(t, s, err)
		if !strings.Contains(err.Error(), "does not know ZooKeeper's server") || strings.Contains(err.Error(), "after") {
			t.Errorf("the error is %v", err)
		}
	})
	t.Run("many at once", func(t *testing.T) {
		t.Parallel()
		var p Pool
		defer p.Close()
		cfg := by(kdc, server, Kerberos{Principal: host, KeytabFile: keytabFile})
		failed := make(chan error)
		const clients = 24
		for i := range clients {
			own := cfg
			own.ConnectTimeout += time.Duration(i) // each has a session of its own
			go func() {
				_, err := p.Session(bounded(t), own)
				failed <- err
			}()
		}
		for range clients {
			if err := <-failed; err != nil {
				t.Error(err)
			}
		}
	})
}

// What is wrong with a login is said at once, not when the time to connect is over, and with what to do.
func TestKerberosLoginsThatFail(t *testing.T) {
	t.Parallel()
	kdc, server := zktest.SharedKerberos(t)
	old := kdc.Keytab(t, "rotated")
	kdc.Admin(t, "cpw -randkey rotated", "addprinc -e arcfour-hmac:normal -randkey weak", "addprinc -randkey -clearpolicy -allow_tix locked")
	kdc.User(t, "wilma", "wonderland")
	weak, locked := kdc.Keytab(t, "weak"), kdc.Keytab(t, "locked")
	expired := filepath.Join(t.TempDir(), "expired")
	kdc.Login(t, expired, "wilma", "wonderland", "-l", "1s")
	broken := zktest.WriteSecret(t, "broken", "\x05\x02\x00\x00\x00\x55hunter2-marker")
	half := zktest.WriteSecret(t, "half", func() string {
		content, _ := os.ReadFile(expired)
		return string(content[:len(content)-7])
	}())
	wilma := Kerberos{Principal: "wilma", Password: NewSecret("wonderland")}
	as := func(change func(*Kerberos)) Kerberos {
		user := wilma
		change(&user)
		return user
	}
	for name, test := range map[string]struct {
		user      Kerberos
		says, how string
	}{
		"a keytab from before the key was changed": {Kerberos{KeytabFile: old}, "rotated@" + zktest.Realm, "klist -kte"},
		"another's keytab":                         {Kerberos{Principal: "wilma", KeytabFile: old}, "has no key of wilma@" + zktest.Realm + ", but of rotated", "use another keytab"},
		"a keytab of RC4":                          {Kerberos{KeytabFile: weak}, "none of AES", "Export it again"},
		"a keytab that is missing":                 {Kerberos{KeytabFile: "/nowhere/keytab"}, `"/nowhere/keytab" cannot be read: no such file`, "keytab_file"},
		"a keytab that is none":                    {Kerberos{KeytabFile: broken}, "not a whole one", "base64"},
		"a password that is wrong":                 {Kerberos{Principal: "wilma", Password: NewSecret("guessed")}, "does not know wilma", "Check principal and password"},
		"a principal that is not known":            {Kerberos{Principal: "nobody", Password: NewSecret("a")}, "does not know nobody@" + zktest.Realm, "upper and lower case"},
		"a principal that is locked":               {Kerberos{KeytabFile: locked}, "does not admit locked", "unlocked"},
		"a realm that nobody knows":                {as(func(k *Kerberos) { k.Principal = "wilma@NOWHERE.TEST" }), "no KDC of the realm NOWHERE.TEST", "kdc = host"},
		"a service that is not known":              {as(func(k *Kerberos) { k.ServiceName = "keeper" }), "server keeper/localhost", "service_name or server_principal"},
		"a cache that is missing":                  {Kerberos{Cache: "/nowhere/cache"}, `"/nowhere/cache" cannot be read: no such file`, "kinit -c FILE:"},
		"a cache that was cut off":                 {Kerberos{Cache: half}, "not a whole one", "kinit -c FILE:"},
		"a cache of another":                       {Kerberos{Principal: "bob", Cache: expired}, "is of wilma@" + zktest.Realm + ", not of bob@", "kinit as that user"},
		"a cache that has expired":                 {Kerberos{Cache: expired}, "expired at", "Log in again"},
		"a directory of caches that is empty":      {Kerberos{Cache: "DIR:" + t.TempDir()}, "cannot be read", "kinit -c FILE:"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if strings.Contains(name, "expired") {
				end, _, err := (Kerberos{Cache: expired, Configuration: kdc.Config()}).Check()
				if err == nil {
					<-time.After(time.Until(end)) // the event that is waited for
				}
			}
			s, err := Open(bounded(t), by(kdc, server, test.user))
			failed := connectError(t, s, err)
			if !strings.Contains(err.Error(), test.says) || !strings.Contains(failed.Hint, test.how) {
				t.Errorf("the error is %v, want %q; the advice %q, want %q", err, test.says, failed.Hint, test.how)
			}
			if strings.Contains(err.Error(), "after") || strings.Contains(err.Error(), marker) {
				t.Errorf("the error blames the time, or shows a keytab: %v", err)
			}
		})
	}
}

func TestKerberosClocksThatDiffer(t *testing.T) {
	t.Parallel()
	kdc := zktest.NewKDC(t)
	_, server := zktest.SharedKerberos(t) // which is not asked
	cfg := by(kdc, server, Kerberos{KeytabFile: kdc.Keytab(t, "alice")})
	for _, shift := range []string{"+1h", "-1h"} {
		kdc.Shift(t, shift)
		s, err := Open(bounded(t), cfg)
		failed := connectError(t, s, err)
		if !strings.Contains(err.Error(), "the clocks differ") || !strings.Contains(failed.Hint, "NTP") || strings.Contains(err.Error(), "after") {
			t.Errorf("%s: the error is %v, the advice %q", shift, err, failed.Hint)
		}
	}
}

// A keytab often has fewer kinds of keys than the KDC has.
func TestKerberosKeytabWithoutTheFirstKind(t *testing.T) {
	t.Parallel()
	kdc, server := zktest.SharedKerberos(t)
	var all keytab.Keytab
	content, err := os.ReadFile(kdc.Keytab(t, "fewer"))
	if err == nil {
		err = all.Unmarshal(content)
	}
	if err != nil {
		t.Fatal(err)
	}
	some := all
	some.Entries = some.Entries[:0:0]
	for _, entry := range all.Entries {
		if entry.Key.KeyType == etypeID.AES128_CTS_HMAC_SHA1_96 {
			some.Entries = append(some.Entries, entry)
		}
	}
	if content, err = some.Marshal(); err != nil || len(some.Entries) == 0 || len(some.Entries) == len(all.Entries) {
		t.Fatalf("%d of %d keys are left: %v", len(some.Entries), len(all.Entries), err)
	}
	works(t, open(t, by(kdc, server, Kerberos{Keytab: NewSecret(string(content))})), "fewer@"+zktest.Realm)
}

// A stopped KDC ends no session: the tickets are there.
func TestKerberosWithoutAKDC(t *testing.T) {
	t.Parallel()
	kdc := zktest.NewKDC(t)
	server := zktest.OwnKerberos(t, kdc, zktest.Options{})
	kdc.Admin(t, "addprinc -randkey zookeeper/elsewhere.invalid")
	cfg := by(kdc, server, Kerberos{KeytabFile: kdc.Keytab(t, "alice")})
	proxy := zktest.NewProxy(t, server)
	cfg.Servers = []string{strings.Replace(proxy.Addr(), loopback, "localhost", 1), "elsewhere.invalid:2181"}
	cfg.tickets = cfg.Kerberos.tickets()
	s := open(t, cfg)
	s.transport.background.Wait()
	path := mustCreate(t, s, "/kept", Ephemeral)
	kdc.Stop()
	for _, host := range []string{"localhost", "elsewhere.invalid"} {
		if _, kept, err := cfg.tickets.Get(bounded(t), host); err != nil || !kept {
			t.Errorf("no ticket is kept for %s: %v", host, err)
		}
	}
	id, broken := s.ID(), s.Changed()
	proxy.Cut()
	await(t, "the connection to break", broken)
	keeps(t, s, id, path)

	// Without a ticket there is no connection, and the error says why.
	fresh := cfg
	fresh.tickets, fresh.ConnectTimeout = nil, time.Second
	other, err := Open(bounded(t), fresh)
	if failed := connectError(t, other, err); !strings.Contains(err.Error(), "no KDC of the realm") || !strings.Contains(failed.Hint, "KDC of the realm is up") {
		t.Errorf("the error is %v, the advice %q", err, failed.Hint)
	}
}

// A service whose key was changed does not know our ticket any more.
func TestKerberosKeyOfTheServerChanges(t *testing.T) {
	t.Parallel()
	kdc := zktest.NewKDC(t)
	server := zktest.OwnKerberos(t, kdc, zktest.Options{})
	s := open(t, by(kdc, server, Kerberos{KeytabFile: kdc.Keytab(t, "alice")}))
	path := mustCreate(t, s, "/kept", Ephemeral)
	id := s.ID()
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	kdc.Admin(t, "cpw -randkey zookeeper/localhost", "ktremove -k "+server.Keytab+" zookeeper/localhost all", "ktadd -norandkey -k "+server.Keytab+" zookeeper/localhost")
	if err := server.Restart(bounded(t)); err != nil {
		t.Fatal(err)
	}
	keeps(t, s, id, path)
}

// A session outlives the ticket that its user logged in with: at each connection the cache is read again.
func TestKerberosCacheIsReadAgain(t *testing.T) {
	t.Parallel()
	kdc, server := zktest.SharedKerberos(t)
	kdc.User(t, "wanda", "wonderland")
	user := Kerberos{Cache: filepath.Join(t.TempDir(), "cache")}
	kdc.Login(t, user.Cache, "wanda", "wonderland", "-l", "3s")
	cfg, proxy := by(kdc, server, user), zktest.NewProxy(t, server)
	cfg.Servers = []string{strings.Replace(proxy.Addr(), loopback, "localhost", 1)}
	end, _, err := cfg.Kerberos.Check()
	if err != nil || end.IsZero() {
		t.Fatalf("the cache ends at %v, %v", end, err)
	}
	s := open(t, cfg)
	path := mustCreate(t, s, "/kept", Ephemeral)
	id := s.ID()
	<-time.After(time.Until(end)) // the event that is waited for
	kdc.Login(t, user.Cache, "wanda", "wonderland")
	broken := s.Changed()
	proxy.Cut()
	await(t, "the connection to break", broken)
	keeps(t, s, id, path)
}
