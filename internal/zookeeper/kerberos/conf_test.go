// SPDX-License-Identifier: MPL-2.0

package kerberos

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// rhel is /etc/krb5.conf as Red Hat's systems come with it, and what an administrator adds.
const rhel = `# To opt out of the system crypto-policies configuration of krb5, remove the
# symlink at /etc/krb5.conf.d/crypto-policies which will not be recreated.
includedir DIR

[logging]
    default = FILE:/var/log/krb5libs.log
    kdc = FILE:/var/log/krb5kdc.log

[libdefaults]
    dns_lookup_realm = false
    dns_canonicalize_hostname = fallback
    ticket_lifetime = 24h
    renew_lifetime = 7d
    forwardable = true
    rdns = false
    pkinit_anchors = FILE:/etc/pki/tls/certs/ca-bundle.crt
    spake_preauth_groups = edwards25519
    qualify_shortname = ""
    default_realm = "EXAMPLE.COM"
    default_ccache_name = KEYRING:persistent:%{uid}

[realms]
 EXAMPLE.COM = {
     kdc = tcp/kdc1.example.com
     kdc = [2001:db8::1]:8088
     kdc = 2001:db8::2
     kdc = https://proxy.example.com/KdcProxy
     kdc = kdc3.example.com:88
     admin_server = kdc1.example.com
     auth_to_local_names = {
       guest = nobody
       kdc = of-another-block
     }
     auth_to_local = RULE:[2:$1;$2](^.*;admin$)s/;admin$//
     include DIR/more/../realm-part
 }
 OTHER.EXAMPLE.COM = { 
     kdc* = kdc.other.example.com
 }

[domain_realm]
 .example.com = EXAMPLE.COM
 example.com = EXAMPLE.COM
 .other.example.com = OTHER.EXAMPLE.COM
 Odd.Example.org = ODD.EXAMPLE.ORG
`

func TestConfigurationOfRHEL(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.ReplaceAll(text, "DIR", dir)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("krb5.conf", rhel)
	write("crypto-policies", "[libdefaults]\npermitted_enctypes = aes256-cts-hmac-sha384-192 camellia256-cts-cmac aes256-cts-hmac-sha1-96 rc4-hmac\n")
	write("sssd.conf", "[libdefaults]\ndns_lookup_kdc = no\nclockskew = 120\n[domain_realm]\nlate.example.com = LATE\n")
	write("krb5.conf.rpmsave~", "[libdefaults]\ndefault_realm = WRONG\n")
	write("realm-part", "     kdc = included\n")
	if err := os.Mkdir(filepath.Join(dir, "more"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere", filepath.Join(dir, "enable_sssd_conf_dir")); err != nil {
		t.Fatal(err)
	}
	main := filepath.Join(t.TempDir(), "krb5.conf")
	if err := os.Rename(filepath.Join(dir, "krb5.conf"), main); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "realm-part"), filepath.Join(dir, "more", "realm-part")); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(main)
	if err == nil {
		err = os.WriteFile(main, []byte(strings.ReplaceAll(string(text), "/more/../realm-part", "/more/realm-part")), 0o600) //nolint:gosec // a path of this test
	}
	if err != nil {
		t.Fatal(err)
	}
	c, err := readConfiguration([]string{main, filepath.Join(dir, "missing.conf")})
	if err != nil {
		t.Fatal(err)
	}
	c.read = nil
	want := &configuration{
		defaultRealm: "EXAMPLE.COM", cacheName: "KEYRING:persistent:%{uid}", ticketLifetime: 24 * time.Hour, clockSkew: 2 * time.Minute, lookUpKDC: false, canonicalize: true,
		etypes: []int32{20, 18},
		kdcs: map[string][]string{
			"EXAMPLE.COM":       {"kdc1.example.com:88", "[2001:db8::1]:8088", "[2001:db8::2]:88", "kdc3.example.com:88"},
			"OTHER.EXAMPLE.COM": {"kdc.other.example.com:88"},
		},
		realms: map[string]string{".example.com": "EXAMPLE.COM", "example.com": "EXAMPLE.COM", ".other.example.com": "OTHER.EXAMPLE.COM", "odd.example.org": "ODD.EXAMPLE.ORG", "late.example.com": "LATE"},
	}
	// The included part is in no section: it is read on its own.
	if !reflect.DeepEqual(c, want) {
		t.Errorf("read\n%+v, want\n%+v", c, want)
	}
	for host, realm := range map[string]string{
		"zk1.example.com": "EXAMPLE.COM", "zk1.other.example.com": "OTHER.EXAMPLE.COM", "a.b.other.example.com": "OTHER.EXAMPLE.COM", "example.com": "EXAMPLE.COM",
		"odd.example.org": "ODD.EXAMPLE.ORG", "zk1.example.org": "", "zk1": "", "late.example.com": "LATE",
	} {
		if got := c.realmOf(host); got != realm {
			t.Errorf("%s is of the realm %q, want %q", host, got, realm)
		}
	}
}

func TestConfigurationThatIsMissing(t *testing.T) {
	t.Parallel()
	c, err := readConfiguration([]string{filepath.Join(t.TempDir(), "krb5.conf")})
	if err != nil || !c.lookUpKDC || !slices.Equal(c.etypes, allowed) || c.ticketLifetime != defaultLifetime || c.names() != "krb5.conf, which was not found" {
		t.Errorf("%+v, %v", c, err)
	}
	loop := filepath.Join(t.TempDir(), "loop")
	if err := os.WriteFile(loop, []byte("include "+loop+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, says := range map[string]string{loop: "do not end", t.TempDir(): "not a regular file"} {
		if _, err := readConfiguration([]string{path}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestDurations(t *testing.T) {
	t.Parallel()
	const def = time.Minute
	for text, want := range map[string]time.Duration{
		"36000": 10 * time.Hour, "10h": 10 * time.Hour, "1d": 24 * time.Hour, "7d 0h 0m 0s": 7 * 24 * time.Hour, "1d12h": 36 * time.Hour,
		"10:30": 10*time.Hour + 30*time.Minute, "1:0:5": time.Hour + 5*time.Second, "90s": 90 * time.Second,
		"": def, "0": def, "soon": def, "h": def, "10x": def, "-5": def, "99999999999999": def,
	} {
		if got := duration(text, def); got != want {
			t.Errorf("%q is %v, want %v", text, got, want)
		}
	}
}

func TestPrincipals(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"clocker": "[clocker] ", "clocker@A.B": "[clocker] A.B", "clocker/host.a.b@A.B": "[clocker host.a.b] A.B", `a\@b/c\/d@A`: "[a@b c/d] A", "a/b/c": "[a b c] ",
		"": "", "@A": "", "a@": "", "a/@A": "", "/a": "", "a@A@B": "",
	} {
		name, realm, err := splitPrincipal(text)
		if got := fmt.Sprint(name.NameString, " ", realm); (err == nil) != (want != "") || err == nil && got != want {
			t.Errorf("%q is %q, %v; want %q", text, got, err, want)
		}
	}
}

func FuzzConfiguration(f *testing.F) {
	f.Add(rhel)
	f.Add("[realms]\nA = {\n}\n}\nkdc = b\n[domain_realm]\n . = a\n= =\nx = \"\\\n")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "include") {
			return // of the machine's files
		}
		path := filepath.Join(t.TempDir(), "krb5.conf")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := readConfiguration([]string{path})
		if err != nil {
			return
		}
		_ = c.realmOf("zk1.example.com")
		for realm, kdcs := range c.kdcs {
			if len(kdcs) == 0 || slices.Contains(kdcs, "") {
				t.Errorf("the realm %q has the KDCs %q", realm, kdcs)
			}
		}
	})
}
