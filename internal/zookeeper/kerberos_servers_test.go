// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper/sasl"
)

// DNS says where the KDCs are, and the name by which a KDC knows a server.
func TestKerberosByDNS(t *testing.T) {
	t.Parallel()
	kdc, server := zktest.SharedKerberos(t)
	_, text, _ := strings.Cut(kdc.Addr(), ":")
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	const alias = "zk-alias.example.com"
	dns.Lock()
	dns.services["_kerberos._tcp."+strings.ToLower(zktest.Realm)] = uint16(port)
	dns.aliases[alias] = true
	dns.Unlock()
	cfg := by(kdc, server, Kerberos{KeytabFile: kdc.Keytab(t, "dennis")})
	cfg.Servers = []string{strings.Replace(server.Localhost(), "localhost", alias, 1)}
	for name, test := range map[string]struct{ conf, says string }{
		"neither": {"dns_lookup_kdc = no", "dns_lookup_kdc is off"},
		"a KDC":   {"dns_canonicalize_hostname = no", "does not know ZooKeeper's server zookeeper/" + alias},
		"both":    {"dns_canonicalize_hostname = fallback", ""},
	} {
		user, own := *cfg.Kerberos, cfg
		user.Configuration = zktest.WriteSecret(t, "krb5.conf", "[libdefaults]\n"+test.conf+"\n")
		own.Kerberos = &user
		s, err := Open(bounded(t), own)
		if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v, want %q", name, err, test.says)
		}
		if err == nil {
			works(t, s, "dennis@"+zktest.Realm)
			_ = s.Close()
		}
	}
}

// A user of one realm, and a server of another that trusts it: by krb5.conf, or as the user's KDC says.
func TestKerberosOfAnotherRealm(t *testing.T) {
	t.Parallel()
	kdc, server := zktest.SharedKerberos(t)
	const realm = "OTHER.TEST"
	theirs := zktest.NewKDCOf(t, realm)
	const trust = "addprinc -pw trust krbtgt/" + zktest.Realm + "@" + realm
	kdc.Admin(t, trust)
	theirs.Admin(t, trust)
	cfg := by(theirs, server, Kerberos{KeytabFile: theirs.Keytab(t, "guest")})
	conf := func(domains string) string {
		return zktest.WriteSecret(t, "krb5.conf", fmt.Sprintf("[libdefaults]\ndefault_realm = %s\n[realms]\n%[1]s = {\nkdc = %s\n}\n%s = {\nkdc = %s\n}\n%s\n",
			realm, theirs.Addr(), zktest.Realm, kdc.Addr(), domains))
	}
	cfg.Kerberos.Configuration = conf("[domain_realm]\nlocalhost = " + zktest.Realm)
	works(t, open(t, cfg), "guest@"+realm)

	const host = "zk-abroad.example.com" // a KDC refers to another for whole names only
	kdc.Admin(t, "addprinc -randkey zookeeper/"+host)
	cfg.Kerberos.Configuration = conf("")
	ticket, _, err := cfg.Kerberos.tickets().Get(bounded(t), host)
	if err != nil || ticket.Server != "zookeeper/"+host+"@"+zktest.Realm || ticket.User() != "guest@"+realm {
		t.Errorf("the ticket by referral is for %s, of %s; %v", ticket.Server, ticket.User(), err)
	}
}

func TestKerberosOverTLS(t *testing.T) {
	t.Parallel()
	kdc := zktest.SharedKDC(t)
	authority := zktest.NewAuthority(t)
	server, secure := zktest.OwnSecureKerberos(t, kdc, authority.Server(t, "localhost"))
	cfg := by(kdc, server, Kerberos{KeytabFile: kdc.Keytab(t, "tess")})
	_, port, err := net.SplitHostPort(secure)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Servers, cfg.TLS = []string{net.JoinHostPort("localhost", port)}, &TLS{CA: authority.CA}
	works(t, open(t, cfg), "tess@"+zktest.Realm)
}

// Servers that cannot prove who they are, or do not accept us.
func TestServersWithoutKerberos(t *testing.T) {
	t.Parallel()
	kdc := zktest.SharedKDC(t)
	user := Kerberos{KeytabFile: kdc.Keytab(t, "alice")}
	kdc.Admin(t, "addprinc -randkey zookeeper/localhost")
	for name, test := range map[string]struct {
		server func(*testing.T) *zktest.Server
		want   error
		how    string
	}{
		"no JAAS": {func(t *testing.T) *zktest.Server { return zktest.Own(t, zktest.Options{}) }, nil, "leave out the kerberos block"},
		"another mechanism": {func(t *testing.T) *zktest.Server {
			return zktest.OwnJAAS(t, md5Module, noFIPS)
		}, sasl.ErrMechanism, "Krb5LoginModule"},
		"no SASL, but it is required": {func(t *testing.T) *zktest.Server {
			return zktest.Own(t, zktest.Options{Config: map[string]string{
				"sessionRequireClientSASLAuth": "true", "authProvider.1": "org.apache.zookeeper.server.auth.SASLAuthenticationProvider",
			}})
		}, nil, "leave out the kerberos block"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := Open(bounded(t), by(kdc, test.server(t), user))
			failed := connectError(t, s, err)
			if !strings.Contains(failed.Hint, test.how) || test.want != nil && !errors.Is(err, test.want) || strings.Contains(err.Error(), "after") {
				t.Errorf("the error is %v, the advice %q, want %q", err, failed.Hint, test.how)
			}
		})
	}
}
