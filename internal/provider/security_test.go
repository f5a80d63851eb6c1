// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/clocker/terraform-provider-clocker/internal/holder"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// secretText must not be seen anywhere.
const secretText = "hunter2-marker"

func text(s string) types.String { return types.StringValue(s) }

func TestResolveSecurity(t *testing.T) {
	authority := zktest.NewAuthority(t)
	client := authority.Client(t, "team")
	caFile := zktest.WriteSecret(t, "ca.pem", authority.CA)
	certFile := zktest.WriteSecret(t, "cert.pem", client.Cert)
	keyFile := zktest.WriteSecret(t, "key.pem", client.Key)
	user := zookeeper.Digest{Username: "alice", Password: zookeeper.NewSecret(secretText)}
	byFiles := zookeeper.TLS{CAFile: caFile, CertFile: certFile, KeyFile: keyFile, ServerName: "zk"}
	t.Chdir(filepath.Dir(caFile))
	mutual := zookeeper.TLS{CA: authority.CA, Cert: client.Cert, Key: zookeeper.NewSecret(client.Key), ServerName: "zk"}
	for name, test := range map[string]struct {
		model providerModel
		env   map[string]string
		want  security
		warns string
	}{
		"nothing": {},
		"user": {
			model: providerModel{Username: text("alice"), Password: text(secretText)},
			want:  security{auth: user},
		},
		"user of the environment": {
			env:  map[string]string{"CLOCKER_USERNAME": "alice", "CLOCKER_PASSWORD": secretText},
			want: security{auth: user},
		},
		"user of both": {
			model: providerModel{Username: text("alice")},
			env:   map[string]string{"CLOCKER_USERNAME": "bob", "CLOCKER_PASSWORD": secretText},
			want:  security{auth: user},
		},
		"creator": {
			model: providerModel{Username: text("alice"), Password: text(secretText), ACL: text("creator")},
			want:  security{auth: user, creator: true},
		},
		"creator of the environment": {
			env:  map[string]string{"CLOCKER_USERNAME": "alice", "CLOCKER_PASSWORD": secretText, "CLOCKER_ACL": "creator"},
			want: security{auth: user, creator: true},
		},
		"open against the environment": {
			model: providerModel{ACL: text("open")},
			env:   map[string]string{"CLOCKER_ACL": "creator"},
		},
		"empty tls": {
			model: providerModel{TLS: &tlsModel{}},
			want:  security{tls: &zookeeper.TLS{}},
		},
		"tls of files, creator by certificate": {
			model: providerModel{ACL: text("creator"), TLS: &tlsModel{CAFile: text(caFile), CertFile: text(certFile), KeyFile: text(keyFile), ServerName: text("zk")}},
			want:  security{tls: &byFiles, creator: true},
		},
		"tls of a file by a relative path": {
			model: providerModel{TLS: &tlsModel{CAFile: text("ca.pem")}},
			want:  security{tls: &zookeeper.TLS{CAFile: caFile}},
		},
		"tls of PEM texts": {
			model: providerModel{TLS: &tlsModel{CAFile: text(authority.CA), CertFile: text(client.Cert), KeyFile: text(client.Key), ServerName: text("zk")}},
			want:  security{tls: &mutual},
		},
		"tls of the environment": {
			env: map[string]string{
				"CLOCKER_TLS_CA_FILE": caFile, "CLOCKER_TLS_CERT_FILE": client.Cert, "CLOCKER_TLS_KEY_FILE": keyFile,
				"CLOCKER_TLS_SERVER_NAME": "zk", "CLOCKER_TLS_INSECURE_SKIP_VERIFY": "false",
			},
			want: security{tls: &zookeeper.TLS{CAFile: caFile, Cert: client.Cert, KeyFile: keyFile, ServerName: "zk"}},
		},
		"tls of the configuration and the environment": {
			model: providerModel{TLS: &tlsModel{ServerName: text("zk"), InsecureSkipVerify: types.BoolValue(false)}},
			env: map[string]string{
				"CLOCKER_TLS_CA_FILE": caFile, "CLOCKER_TLS_CERT_FILE": certFile, "CLOCKER_TLS_KEY_FILE": keyFile,
				"CLOCKER_TLS_SERVER_NAME": "other", "CLOCKER_TLS_INSECURE_SKIP_VERIFY": "true",
			},
			want: security{tls: &byFiles},
		},
		"unverified": {
			model: providerModel{TLS: &tlsModel{InsecureSkipVerify: types.BoolValue(true)}},
			want:  security{tls: &zookeeper.TLS{InsecureSkipVerify: true}},
			warns: "tls.insecure_skip_verify",
		},
		"unverified by the environment": {
			env:   map[string]string{"CLOCKER_TLS_INSECURE_SKIP_VERIFY": "1"},
			want:  security{tls: &zookeeper.TLS{InsecureSkipVerify: true}},
			warns: "tls.insecure_skip_verify",
		},
		"unverified by the environment against a CA": {
			model: providerModel{TLS: &tlsModel{CAFile: text(caFile)}},
			env:   map[string]string{"CLOCKER_TLS_INSECURE_SKIP_VERIFY": "true"},
			want:  security{tls: &zookeeper.TLS{CAFile: caFile}},
			warns: "tls.ca_file",
		},
		"unverified by the environment against its CA": {
			env:   map[string]string{"CLOCKER_TLS_INSECURE_SKIP_VERIFY": "true", "CLOCKER_TLS_CA_FILE": authority.CA},
			want:  security{tls: &zookeeper.TLS{CA: authority.CA}},
			warns: "tls.ca_file",
		},
		"unverified by the configuration, with a CA": {
			model: providerModel{TLS: &tlsModel{CAFile: text(caFile), InsecureSkipVerify: types.BoolValue(true)}},
			want:  security{tls: &zookeeper.TLS{CAFile: caFile, InsecureSkipVerify: true}},
			warns: "tls.insecure_skip_verify",
		},
		"empty variables that the configuration makes no use of": {
			model: providerModel{
				Username: text("alice"), Password: text(secretText), ACL: text("open"),
				TLS: &tlsModel{CAFile: text(caFile), CertFile: text(certFile), KeyFile: text(keyFile), ServerName: text("zk"), InsecureSkipVerify: types.BoolValue(false)},
			},
			env: map[string]string{
				"CLOCKER_USERNAME": "", "CLOCKER_PASSWORD": "", "CLOCKER_ACL": "", "CLOCKER_TLS_CA_FILE": "", "CLOCKER_TLS_CERT_FILE": "",
				"CLOCKER_TLS_KEY_FILE": "", "CLOCKER_TLS_SERVER_NAME": "", "CLOCKER_TLS_INSECURE_SKIP_VERIFY": "",
			},
			want: security{auth: user, tls: &byFiles},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for variable, value := range test.env {
				t.Setenv(variable, value)
			}
			var diags diag.Diagnostics
			got := resolveSecurity(t.Context(), test.model, &diags)
			if (got.tls == nil) != (test.want.tls == nil) || got.tls != nil && *got.tls != *test.want.tls {
				t.Errorf("the TLS is %+v, want %+v", got.tls, test.want.tls)
			}
			got.tls = test.want.tls
			if got != test.want {
				t.Errorf("resolved %+v, want %+v", got, test.want)
			}
			var warned []string
			for _, d := range diags {
				if at, ok := d.(diag.DiagnosticWithPath); ok && d.Severity() == diag.SeverityWarning {
					warned = append(warned, at.Path().String())
				} else {
					t.Error(d)
				}
			}
			if strings.Join(warned, " ") != test.warns {
				t.Errorf("warned of %q, want %q", warned, test.warns)
			}
		})
	}
}

func TestResolveSecurityThatCannotBe(t *testing.T) {
	authority := zktest.NewAuthority(t)
	client, other := authority.Client(t, "team"), authority.Client(t, "other")
	// Keys in forms that we do not know.
	raw := strings.Join(strings.Split(client.Key, "\n")[1:3], "")
	missing := filepath.Join(t.TempDir(), "missing.pem")
	for name, test := range map[string]struct {
		model providerModel
		env   map[string]string
		err   string // attribute of the only error
		says  string
	}{
		"no password":                    {model: providerModel{Username: text("alice")}, err: "password", says: "CLOCKER_PASSWORD"},
		"no password in the environment": {env: map[string]string{"CLOCKER_USERNAME": "alice"}, err: "password"},
		"no username":                    {model: providerModel{Password: text(secretText)}, err: "username", says: "CLOCKER_USERNAME"},
		"no username in the environment": {env: map[string]string{"CLOCKER_PASSWORD": secretText}, err: "username"},
		"username that is two":           {env: map[string]string{"CLOCKER_USERNAME": "a:b", "CLOCKER_PASSWORD": secretText}, err: "username", says: "CLOCKER_USERNAME"},
		"unknown acl":                    {env: map[string]string{"CLOCKER_ACL": "mine"}, err: "acl", says: "CLOCKER_ACL"},
		"acl without a user":             {model: providerModel{ACL: text("creator")}, err: "acl", says: "needs a user"},
		"acl with encryption only":       {model: providerModel{ACL: text("creator"), TLS: &tlsModel{CAFile: text(authority.CA)}}, err: "acl"},
		"ca_file that is missing":        {model: providerModel{TLS: &tlsModel{CAFile: text(missing)}}, err: "tls.ca_file", says: missing},
		"cert_file that is missing":      {env: map[string]string{"CLOCKER_TLS_CERT_FILE": missing}, err: "tls.cert_file", says: "no such file"},
		"key_file that is missing":       {model: providerModel{TLS: &tlsModel{KeyFile: text(missing)}}, err: "tls.key_file", says: "cannot be read"},
		"ca_file that is a directory":    {model: providerModel{TLS: &tlsModel{CAFile: text(t.TempDir())}}, err: "tls.ca_file", says: "cannot be read"},
		"ca_file that is empty":          {model: providerModel{TLS: &tlsModel{CAFile: text(zktest.WriteSecret(t, "empty", ""))}}, err: "tls.ca_file", says: "empty"},
		"ca_file that is no PEM":         {model: providerModel{TLS: &tlsModel{CAFile: text(zktest.WriteSecret(t, "no", "no"))}}, err: "tls.ca_file", says: "no PEM certificate"},
		"ca_file without an end":         {model: providerModel{TLS: &tlsModel{CAFile: text("/dev/zero")}}, err: "tls.ca_file", says: "longer than"},
		"key_file that is too long":      {env: map[string]string{"CLOCKER_TLS_KEY_FILE": strings.Repeat("x", zookeeper.MaxPEM+1)}, err: "tls.key_file", says: "longer than"},
		"key that is no PEM":             {model: providerModel{TLS: &tlsModel{KeyFile: text(raw)}}, err: "tls.key_file"},
		"key of several lines, no PEM":   {model: providerModel{TLS: &tlsModel{KeyFile: text(raw + "\n" + raw)}}, err: "tls.key_file", says: "neither"},
		"key with its line breaks lost":  {model: providerModel{TLS: &tlsModel{CertFile: text(client.Cert), KeyFile: text(strings.ReplaceAll(client.Key, "\n", `\n`))}}, err: "tls.key_file", says: "where its lines should end"},
		"encrypted key":                  {model: providerModel{TLS: &tlsModel{CertFile: text(client.Cert), KeyFile: text("-----BEGIN ENCRYPTED PRIVATE KEY-----\nbm9uc2Vuc2U=\n-----END ENCRYPTED PRIVATE KEY-----\n")}}, err: "tls.key_file", says: "openssl pkey"},
		"certificate without its key":    {model: providerModel{TLS: &tlsModel{CertFile: text(client.Cert)}}, err: "tls.key_file"},
		"key without its certificate":    {model: providerModel{TLS: &tlsModel{KeyFile: text(client.Key)}}, err: "tls.cert_file"},
		"another's key":                  {model: providerModel{TLS: &tlsModel{CertFile: text(client.Cert), KeyFile: text(other.Key)}}, err: "tls.key_file", says: "does not match"},
		"a CA that a pipeline has not":   {env: map[string]string{"CLOCKER_TLS_CA_FILE": ""}, err: "tls.ca_file", says: "CLOCKER_TLS_CA_FILE stands in for ca_file here, but is empty"},
		"the same with an empty block":   {model: providerModel{TLS: &tlsModel{}}, env: map[string]string{"CLOCKER_TLS_CA_FILE": ""}, err: "tls.ca_file", says: "is empty"},
		"an empty cert_file":             {env: map[string]string{"CLOCKER_TLS_CERT_FILE": ""}, err: "tls.cert_file", says: "is empty"},
		"an empty key_file":              {env: map[string]string{"CLOCKER_TLS_KEY_FILE": ""}, err: "tls.key_file", says: "is empty"},
		"an empty server_name":           {env: map[string]string{"CLOCKER_TLS_SERVER_NAME": ""}, err: "tls.server_name", says: "is empty"},
		"an empty insecure_skip_verify":  {env: map[string]string{"CLOCKER_TLS_INSECURE_SKIP_VERIFY": ""}, err: "tls.insecure_skip_verify", says: "is empty"},
		"an empty username":              {env: map[string]string{"CLOCKER_USERNAME": "", "CLOCKER_PASSWORD": secretText}, err: "username", says: "is empty"},
		"an empty password":              {env: map[string]string{"CLOCKER_USERNAME": "alice", "CLOCKER_PASSWORD": ""}, err: "password", says: "is empty"},
		"an empty acl":                   {env: map[string]string{"CLOCKER_ACL": ""}, err: "acl", says: "is empty"},
		"a key as ca_file":               {model: providerModel{TLS: &tlsModel{CAFile: text(raw)}}, err: "tls.ca_file", says: "the file that it names"},
		"a key as cert_file":             {env: map[string]string{"CLOCKER_TLS_CERT_FILE": raw}, err: "tls.cert_file", says: "the file that it names"},
		"a password in the username":     {env: map[string]string{"CLOCKER_USERNAME": "alice:" + secretText, "CLOCKER_PASSWORD": "x"}, err: "username", says: "may be a password"},
		"insecure_skip_verify, or not":   {env: map[string]string{"CLOCKER_TLS_INSECURE_SKIP_VERIFY": "maybe"}, err: "tls.insecure_skip_verify", says: "maybe"},
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
			if !ok || at.Path().String() != test.err || !strings.Contains(strings.ToLower(at.Summary()+" "+at.Detail()), strings.ToLower(test.says)) {
				t.Errorf("the error is %v, want one on %s with %q", diags[0], test.err, test.says)
			}
			for _, secret := range []string{secretText, raw, raw[:40], "BEGIN"} {
				if strings.Contains(fmt.Sprint(diags), secret) {
					t.Errorf("the error shows a secret: %v", diags)
				}
			}
		})
	}
}

// A value that is known only after apply is not an error, whatever it will be.
func TestResolveSecurityThatIsUnknown(t *testing.T) {
	t.Parallel()
	for name, model := range map[string]providerModel{
		"username": {Username: types.StringUnknown(), Password: text(secretText)},
		"password": {Username: text("alice"), Password: types.StringUnknown()},
		"acl":      {ACL: types.StringUnknown()},
		"ca":       {TLS: &tlsModel{CAFile: types.StringUnknown()}},
		"cert":     {ACL: text("creator"), TLS: &tlsModel{CertFile: types.StringUnknown(), KeyFile: types.StringUnknown()}},
		"key":      {TLS: &tlsModel{CertFile: text("/nowhere"), KeyFile: types.StringUnknown()}},
		"name":     {TLS: &tlsModel{ServerName: types.StringUnknown()}},
		"verify":   {TLS: &tlsModel{InsecureSkipVerify: types.BoolUnknown()}},
	} {
		var diags diag.Diagnostics
		if s := resolveSecurity(t.Context(), model, &diags); !s.unknown || len(diags) > 0 {
			t.Errorf("%s: unknown %t, %v", name, s.unknown, diags)
		}
	}
}

// No type with secrets shows them, however it is printed.
func TestSettingsShowNoSecret(t *testing.T) {
	t.Parallel()
	authority := zktest.NewAuthority(t)
	team := authority.Client(t, "team")
	var diags diag.Diagnostics
	s := settings{security: resolveSecurity(t.Context(), providerModel{
		Username: text("alice"), Password: text(secretText),
		TLS: &tlsModel{CertFile: text(team.Cert), KeyFile: text(team.Key)},
	}, &diags)}
	c := &client{settings: s}
	for _, value := range []any{s, s.security, *s.security.tls, c, c.ensemble(nil), holder.Request{Ensemble: c.ensemble(nil)}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d"} {
			if shown := fmt.Sprintf(verb, value); strings.Contains(shown, secretText) || strings.Contains(shown, "PRIVATE KEY") {
				t.Errorf("%s of %T shows a secret: %s", verb, value, shown)
			}
		}
	}
}
