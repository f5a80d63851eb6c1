// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-krb5/krb5/keytab"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// newKeytab returns a keytab with the key of one principal of EXAMPLE.COM, and its path.
func newKeytab(t *testing.T, name string) (content, file string) {
	t.Helper()
	table := keytab.New()
	if err := table.AddEntry(name, "EXAMPLE.COM", secretText, time.Unix(1, 0), 1, 18); err != nil {
		t.Fatal(err)
	}
	b, err := table.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return string(b), zktest.WriteSecret(t, "clocker.keytab", string(b))
}

// noKerberos unsets the Kerberos variables of this machine's user.
func noKerberos(t *testing.T) {
	t.Helper()
	for _, name := range []string{"KRB5CCNAME", "KRB5_CONFIG"} {
		t.Setenv(name, "")
	}
}

func TestResolveKerberos(t *testing.T) {
	noKerberos(t)
	content, file := newKeytab(t, "clocker/host")
	conf := zktest.WriteSecret(t, "krb5.conf", "[libdefaults]\ndefault_realm = EXAMPLE.COM\n")
	other := zktest.WriteSecret(t, "other.conf", "")
	t.Chdir(filepath.Dir(file))
	full := zookeeper.Kerberos{Principal: "clocker/host@EXAMPLE.COM", KeytabFile: file, Configuration: conf, ServiceName: "keeper", ServerPrincipal: "keeper/all"}
	for name, test := range map[string]struct {
		model *kerberosModel
		env   map[string]string
		want  zookeeper.Kerberos
	}{
		"configuration": {
			model: &kerberosModel{
				Principal: text("clocker/host@EXAMPLE.COM"), KeytabFile: text(file), ConfigFile: text(conf), ServiceName: text("keeper"), ServerPrincipal: text("keeper/all"),
			},
			env: map[string]string{
				"CLOCKER_KERBEROS_PRINCIPAL": "z", "CLOCKER_KERBEROS_PASSWORD": "z", "CLOCKER_KERBEROS_CCACHE_FILE": "z", "KRB5CCNAME": "KCM:", "KRB5_CONFIG": "/z",
				"CLOCKER_KERBEROS_CONFIG_FILE": "z", "CLOCKER_KERBEROS_SERVICE_NAME": "z", "CLOCKER_KERBEROS_SERVER_PRINCIPAL": "z",
			},
			want: full,
		},
		"environment": {
			env: map[string]string{
				"CLOCKER_KERBEROS_PRINCIPAL": "clocker/host@EXAMPLE.COM", "CLOCKER_KERBEROS_KEYTAB_FILE": file, "CLOCKER_KERBEROS_CONFIG_FILE": conf,
				"CLOCKER_KERBEROS_SERVICE_NAME": "keeper", "CLOCKER_KERBEROS_SERVER_PRINCIPAL": "keeper/all", "KRB5CCNAME": "KCM:", "KRB5_CONFIG": "/z",
			},
			want: full,
		},
		"relative paths": {
			model: &kerberosModel{KeytabFile: text("clocker.keytab")},
			env:   map[string]string{"KRB5_CONFIG": conf + ":/nowhere/krb5.conf"},
			want:  zookeeper.Kerberos{KeytabFile: file, Configuration: conf + ":/nowhere/krb5.conf", ServiceName: "zookeeper"},
		},
		"keytab in base64": {
			model: &kerberosModel{Principal: text("clocker/host"), KeytabFile: text(wrapped(base64.StdEncoding.EncodeToString([]byte(content)))), ConfigFile: text(conf)},
			want:  zookeeper.Kerberos{Principal: "clocker/host", Keytab: zookeeper.NewSecret(content), Configuration: conf, ServiceName: "zookeeper"},
		},
		"password": {
			model: &kerberosModel{Principal: text("alice@EXAMPLE.COM"), ConfigFile: text(other)},
			env:   map[string]string{"CLOCKER_KERBEROS_PASSWORD": secretText, "KRB5CCNAME": "FILE:/z"},
			want:  zookeeper.Kerberos{Principal: "alice@EXAMPLE.COM", Password: zookeeper.NewSecret(secretText), Configuration: other, ServiceName: "zookeeper"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for variable, value := range test.env {
				t.Setenv(variable, value)
			}
			var diags diag.Diagnostics
			got := resolveSecurity(t.Context(), providerModel{Kerberos: test.model, ACL: text("creator")}, &diags)
			if len(diags) > 0 || got.sasl.kerberos == nil || *got.sasl.kerberos != test.want || !got.sasl.cacheEnd.IsZero() {
				t.Errorf("resolved %+v, want %+v; %v", got.sasl.kerberos, test.want, diags)
			}
		})
	}
}

// wrapped adds line breaks as base64 prints them.
func wrapped(text string) string {
	const width = 76
	var lines []string
	for len(text) > width {
		lines, text = append(lines, text[:width]), text[width:]
	}
	return strings.Join(append(lines, text), "\n") + "\n"
}

func TestResolveKerberosThatCannotBe(t *testing.T) {
	noKerberos(t)
	content, file := newKeytab(t, "clocker/host")
	half := base64.StdEncoding.EncodeToString([]byte(content[:len(content)-20]))
	conf := zktest.WriteSecret(t, "krb5.conf", "[libdefaults]\ndefault_ccache_name = KEYRING:persistent:%{uid}\n")
	alice := kerberosModel{Principal: text("alice@EXAMPLE.COM"), Password: text(secretText)}
	with := func(change func(*kerberosModel)) *kerberosModel {
		m := alice
		change(&m)
		return &m
	}
	for name, test := range map[string]struct {
		model     providerModel
		env       map[string]string
		err, says string // the attribute of the only error
	}{
		"a user beside":              {model: providerModel{Username: text("alice"), Password: text(secretText), Kerberos: &alice}, err: "kerberos", says: "leave out the other"},
		"a user of the environment":  {model: providerModel{Kerberos: &alice}, env: map[string]string{"CLOCKER_USERNAME": "a", "CLOCKER_PASSWORD": secretText}, err: "kerberos", says: "environment variables"},
		"digest_md5 beside":          {model: providerModel{Kerberos: &alice, DigestMD5: &digestMD5Model{text("a"), text("b")}}, err: "digest_md5", says: "kerberos"},
		"a user beside digest_md5":   {model: providerModel{Username: text("a"), Password: text("b"), DigestMD5: &digestMD5Model{text("a"), text("b")}}, err: "digest_md5", says: "username"},
		"half of digest_md5":         {model: providerModel{DigestMD5: &digestMD5Model{Username: text("a")}}, err: "digest_md5.password", says: "CLOCKER_DIGEST_MD5_PASSWORD"},
		"the other half":             {env: map[string]string{"CLOCKER_DIGEST_MD5_PASSWORD": secretText}, err: "digest_md5.username", says: "CLOCKER_DIGEST_MD5_USERNAME"},
		"an empty password":          {env: map[string]string{"CLOCKER_KERBEROS_PRINCIPAL": "alice@EXAMPLE.COM", "CLOCKER_KERBEROS_PASSWORD": ""}, err: "kerberos.password", says: "is empty"},
		"an empty password of MD5":   {model: providerModel{DigestMD5: &digestMD5Model{Username: text("a")}}, env: map[string]string{"CLOCKER_DIGEST_MD5_PASSWORD": ""}, err: "digest_md5.password", says: "is empty"},
		"two secrets":                {env: map[string]string{"CLOCKER_KERBEROS_KEYTAB_FILE": file, "CLOCKER_KERBEROS_PASSWORD": secretText}, err: "kerberos.keytab_file", says: "CLOCKER_KERBEROS_PASSWORD"},
		"a password of nobody":       {env: map[string]string{"CLOCKER_KERBEROS_PASSWORD": secretText}, err: "kerberos.principal", says: "CLOCKER_KERBEROS_PRINCIPAL"},
		"a principal that is none":   {model: providerModel{Kerberos: with(func(m *kerberosModel) { m.Principal = text("alice@") })}, err: "kerberos.principal", says: "name/host@REALM"},
		"a principal without realm":  {model: providerModel{Kerberos: with(func(m *kerberosModel) { m.Principal = text("alice"); m.ConfigFile = text(conf) })}, err: "kerberos.password", says: "default_realm"},
		"a service with a host":      {model: providerModel{Kerberos: with(func(m *kerberosModel) { m.ServiceName = text("zookeeper/zk1") })}, err: "kerberos.service_name", says: "server_principal"},
		"a server that is none":      {model: providerModel{Kerberos: with(func(m *kerberosModel) { m.ServerPrincipal = text("@A") })}, err: "kerberos.server_principal", says: "not valid"},
		"a config_file not there":    {model: providerModel{Kerberos: with(func(m *kerberosModel) { m.ConfigFile = text("/nowhere/krb5.conf") })}, err: "kerberos.config_file", says: "/nowhere/krb5.conf"},
		"a keytab that is missing":   {model: providerModel{Kerberos: &kerberosModel{KeytabFile: text("/nowhere/keytab")}}, err: "kerberos.keytab_file", says: "no such file"},
		"a keytab that is none":      {model: providerModel{Kerberos: &kerberosModel{KeytabFile: text(conf)}}, err: "kerberos.keytab_file", says: "not a whole one"},
		"a keytab of another":        {model: providerModel{Kerberos: &kerberosModel{KeytabFile: text(file), Principal: text("alice@EXAMPLE.COM")}}, err: "kerberos.keytab_file", says: "of clocker/host@EXAMPLE.COM"},
		"half of a keytab in base64": {model: providerModel{Kerberos: &kerberosModel{KeytabFile: text(half)}}, err: "kerberos.keytab_file", says: "base64 -w0"},
		"a directory for a keytab":   {model: providerModel{Kerberos: &kerberosModel{KeytabFile: text(t.TempDir())}}, err: "kerberos.keytab_file", says: "regular file"},
		"a cache of the kernel":      {model: providerModel{Kerberos: &kerberosModel{ConfigFile: text(conf)}}, err: "kerberos.ccache_file", says: "kinit -c FILE:"},
		"a cache of a daemon":        {env: map[string]string{"KRB5CCNAME": "KCM:", "CLOCKER_KERBEROS_CONFIG_FILE": conf}, err: "kerberos.ccache_file", says: "environment variable KRB5CCNAME"},
		"a cache that is missing":    {model: providerModel{Kerberos: &kerberosModel{CCacheFile: text("/nowhere/cache")}}, err: "kerberos.ccache_file", says: "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			for variable, value := range test.env {
				t.Setenv(variable, value)
			}
			var diags diag.Diagnostics
			resolveSecurity(t.Context(), test.model, &diags)
			if len(diags) != 1 || diags[0].Severity() != diag.SeverityError {
				t.Fatalf("%d diagnostics, want an error: %v", len(diags), diags)
			}
			at, ok := diags[0].(diag.DiagnosticWithPath)
			if !ok || at.Path().String() != test.err || !strings.Contains(at.Detail(), test.says) {
				t.Errorf("the error is %v, want one on %s with %q", diags[0], test.err, test.says)
			}
			for _, secret := range []string{secretText, half[:20], content[20:]} {
				if strings.Contains(fmt.Sprint(diags), secret) {
					t.Errorf("the error shows a secret: %v", diags)
				}
			}
		})
	}
}

func TestResolveKerberosThatIsUnknown(t *testing.T) {
	t.Parallel()
	unknown := types.StringUnknown()
	for name, m := range map[string]providerModel{
		"principal": {Kerberos: &kerberosModel{Principal: unknown}}, "keytab": {Kerberos: &kerberosModel{KeytabFile: unknown}}, "password": {Kerberos: &kerberosModel{Password: unknown}},
		"cache": {Kerberos: &kerberosModel{CCacheFile: unknown}}, "config": {Kerberos: &kerberosModel{ConfigFile: unknown}}, "service": {Kerberos: &kerberosModel{ServiceName: unknown}},
		"server": {Kerberos: &kerberosModel{ServerPrincipal: unknown}}, "md5": {DigestMD5: &digestMD5Model{Username: unknown}}, "md5's": {DigestMD5: &digestMD5Model{Password: unknown}},
	} {
		var diags diag.Diagnostics
		if s := resolveSecurity(t.Context(), m, &diags); !s.unknown || len(diags) > 0 {
			t.Errorf("%s: unknown %t, %v", name, s.unknown, diags)
		}
	}
}

// A name has a principal, an address has none.
func TestKerberosServersByAddress(t *testing.T) {
	t.Parallel()
	for servers, bad := range map[string]bool{"zk1.example.com,127.0.0.1": true, "[::1]:2181": true, "zk1.example.com,zk2:2182": false} {
		for _, principal := range []string{"", "zookeeper/all@A"} {
			c := &client{settings: settings{zookeeper: text(servers), security: security{sasl: sasl{kerberos: &zookeeper.Kerberos{ServiceName: "zookeeper", ServerPrincipal: principal}}}}}
			var diags diag.Diagnostics
			_, ok := c.request(lockModel{LockID: text("l")}, &diags)
			if want := !bad || principal != ""; ok != want {
				t.Errorf("%s with %q: located %t, %v", servers, principal, ok, diags)
			} else if !ok && (!diags[0].(diag.DiagnosticWithPath).Path().Equal(path.Root("zookeeper")) || !strings.Contains(diags[0].Detail(), "server_principal")) {
				t.Errorf("the error is %v", diags)
			}
		}
	}
}

// The user is warned of a ticket that can end before the wait for a lock.
func TestKerberosTicketThatEndsFirst(t *testing.T) {
	noKerberos(t)
	kdc := zktest.SharedKDC(t)
	kdc.User(t, "walter", "wonderland")
	cache := filepath.Join(t.TempDir(), "cache")
	kdc.Login(t, "FILE:"+cache, "walter", "wonderland", "-l", "1h")
	t.Setenv("KRB5CCNAME", cache)
	t.Setenv("KRB5_CONFIG", kdc.Config())
	var diags diag.Diagnostics
	c := &client{settings: settings{security: resolveSecurity(t.Context(), providerModel{Kerberos: &kerberosModel{}}, &diags)}}
	if k := c.settings.security.sasl.kerberos; diags.HasError() || k.Cache != "FILE:"+cache || k.Configuration != kdc.Config() {
		t.Fatalf("%+v, %v", k, diags)
	}
	for wait, warned := range map[time.Duration]bool{0: false, time.Minute: false, 2 * time.Hour: true, locker.NoLimit: true} {
		var diags diag.Diagnostics
		c.warnOfTicket(wait, &diags)
		if diags.WarningsCount() > 0 != warned || diags.HasError() {
			t.Errorf("%v: %v", wait, diags)
		}
	}
	if _, err := os.Stat(cache); err != nil {
		t.Error(err)
	}
}
