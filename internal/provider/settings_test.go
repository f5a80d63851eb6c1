// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"os"
	"os/user"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

func TestResolve(t *testing.T) {
	long := strings.Repeat("o", 200)
	for name, tc := range map[string]struct {
		model providerModel
		env   map[string]string
		want  func(*settings) // changes the defaults
		err   string          // attribute of the only error
		says  string          // in its detail
	}{
		"nothing": {},
		"configuration": {
			model: providerModel{
				ZooKeeper: types.StringValue("a/b"), SessionTimeout: types.Int64Value(1), ConnectTimeout: types.Int64Value(2),
				LockRoot: types.StringValue("/r"), Owner: types.StringValue("o"),
			},
			env: map[string]string{
				"CLOCKER_ZOOKEEPER": "z", "ZOOKEEPER_SERVERS": "y", "CLOCKER_SESSION_TIMEOUT": "8", "CLOCKER_CONNECT_TIMEOUT": "9",
				"CLOCKER_LOCK_ROOT": "/z", "CLOCKER_OWNER": "z",
			},
			want: func(s *settings) {
				s.zookeeper, s.lockRoot, s.owner = types.StringValue("a/b"), types.StringValue("/r"), "o"
				s.sessionTimeout, s.connectTimeout = time.Second, 2*time.Second
			},
		},
		"environment": {
			env: map[string]string{
				"CLOCKER_ZOOKEEPER": "z", "ZOOKEEPER_SERVERS": "y", "CLOCKER_SESSION_TIMEOUT": "8", "CLOCKER_CONNECT_TIMEOUT": "3600",
				"CLOCKER_LOCK_ROOT": "/z", "CLOCKER_OWNER": "z",
			},
			want: func(s *settings) {
				s.zookeeper, s.lockRoot, s.owner = types.StringValue("z"), types.StringValue("/z"), "z"
				s.sessionTimeout, s.connectTimeout = 8*time.Second, time.Hour
			},
		},
		"second variable": {
			env:  map[string]string{"ZOOKEEPER_SERVERS": "y:1,z:2"},
			want: func(s *settings) { s.zookeeper = types.StringValue("y:1,z:2") },
		},
		"empty variable of others": {env: map[string]string{"ZOOKEEPER_SERVERS": ""}},
		"empty connect string":     {env: map[string]string{"CLOCKER_ZOOKEEPER": "", "ZOOKEEPER_SERVERS": "y:1"}, err: "zookeeper", says: "CLOCKER_ZOOKEEPER stands in for zookeeper here, but is empty"},
		"empty timeout":            {env: map[string]string{"CLOCKER_SESSION_TIMEOUT": ""}, err: "session_timeout", says: "is empty"},
		"empty lock root":          {env: map[string]string{"CLOCKER_LOCK_ROOT": ""}, err: "lock_root", says: "is empty"},
		"empty layout":             {env: map[string]string{"CLOCKER_LAYOUT": ""}, err: "layout", says: "is empty"},
		"empty owner":              {env: map[string]string{"CLOCKER_OWNER": ""}, err: "owner", says: "is empty"},
		// A value that is not known yet is still set, so the environment does not count.
		"unknown": {
			model: providerModel{
				ZooKeeper: types.StringUnknown(), SessionTimeout: types.Int64Unknown(), LockRoot: types.StringUnknown(), Owner: types.StringUnknown(),
			},
			env:  map[string]string{"CLOCKER_ZOOKEEPER": "z", "CLOCKER_SESSION_TIMEOUT": "8", "CLOCKER_LOCK_ROOT": "/z", "CLOCKER_OWNER": "z"},
			want: func(s *settings) { s.zookeeper, s.lockRoot = types.StringUnknown(), types.StringUnknown() },
		},
		"bad connect string": {env: map[string]string{"CLOCKER_ZOOKEEPER": "z:port"}, err: "zookeeper", says: "CLOCKER_ZOOKEEPER"},
		"servers of another program": {
			env: map[string]string{"ZOOKEEPER_SERVERS": "z,"},
			want: func(s *settings) {
				s.zookeeper, s.unusable = types.String{}, unusableServers(types.StringNull())
			},
		},
		"timeout that is no number":  {env: map[string]string{"CLOCKER_SESSION_TIMEOUT": "15s"}, err: "session_timeout", says: `"15s"`},
		"timeout of nothing":         {env: map[string]string{"CLOCKER_SESSION_TIMEOUT": "0"}, err: "session_timeout", says: "1 to 3600"},
		"timeout that is too long":   {env: map[string]string{"CLOCKER_CONNECT_TIMEOUT": "3601"}, err: "connect_timeout", says: "CLOCKER_CONNECT_TIMEOUT"},
		"timeout beyond all numbers": {env: map[string]string{"CLOCKER_CONNECT_TIMEOUT": "99999999999999999999"}, err: "connect_timeout"},
		"relative lock root":         {env: map[string]string{"CLOCKER_LOCK_ROOT": "locks"}, err: "lock_root", says: "CLOCKER_LOCK_ROOT"},
		"owner that is too long":     {env: map[string]string{"CLOCKER_OWNER": long}, err: "owner", says: "CLOCKER_OWNER"},
		"bad values that are not used": {
			model: providerModel{ZooKeeper: types.StringValue("a"), SessionTimeout: types.Int64Value(1)},
			env:   map[string]string{"CLOCKER_ZOOKEEPER": ":", "CLOCKER_SESSION_TIMEOUT": "x"},
			want:  func(s *settings) { s.zookeeper, s.sessionTimeout = types.StringValue("a"), time.Second },
		},
	} {
		t.Run(name, func(t *testing.T) {
			for variable, value := range tc.env {
				t.Setenv(variable, value)
			}
			var diags diag.Diagnostics
			got := resolve(t.Context(), tc.model, &diags)
			if tc.err != "" {
				if len(diags) != 1 {
					t.Fatalf("%d diagnostics: %v", len(diags), diags)
				}
				at, ok := diags[0].(diag.DiagnosticWithPath)
				if !ok || at.Path().String() != tc.err || !strings.Contains(at.Detail(), tc.says) {
					t.Errorf("the error is %v, want one on %s with %q", diags[0], tc.err, tc.says)
				}
				return
			}
			if len(diags) > 0 {
				t.Error(diags)
			}
			want := settings{sessionTimeout: 15 * time.Second, connectTimeout: 15 * time.Second, owner: defaultOwner(), security: got.security}
			if tc.want != nil {
				tc.want(&want)
			}
			if got != want {
				t.Errorf("resolved %+v, want %+v", got, want)
			}
		})
	}
}

func TestDefaultOwner(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	if want := me.Username + "@" + host; defaultOwner() != want {
		t.Errorf("the owner is %q, want %q", defaultOwner(), want)
	}
}

func TestSettingNames(t *testing.T) {
	if got, want := settingZooKeeper.names(), "`CLOCKER_ZOOKEEPER`, then `ZOOKEEPER_SERVERS`"; got != want {
		t.Errorf("the documentation says %q, want %q", got, want)
	}
}

// A user over plain text is warned of once, unless all servers are on this machine.
func TestPlainTextIsWarnedOfOnce(t *testing.T) {
	t.Parallel()
	alice := security{auth: zookeeper.Digest{Username: "alice", Password: zookeeper.NewSecret(secretText)}}
	for name, test := range map[string]struct {
		security security
		servers  string
		warns    bool
	}{
		"a password to another host":     {alice, "zk1:2181", true},
		"a password to an address":       {alice, "10.0.0.1:2181", true},
		"a password to one other host":   {alice, "localhost,zk1", true},
		"a password to this host":        {alice, "localhost,127.0.0.1:2182,[::1]:2181", false},
		"a password over TLS":            {security{auth: alice.auth, tls: &zookeeper.TLS{}}, "zk1:2181", false},
		"Kerberos to another host":       {security{sasl: sasl{kerberos: &zookeeper.Kerberos{ServiceName: "zookeeper"}}}, "zk1:2181", true},
		"DIGEST-MD5 to another host":     {security{sasl: sasl{md5: zookeeper.SASLUser{Username: "alice"}}}, "zk1:2181", true},
		"creator without a password":     {security{creator: true}, "zk1:2181", true},
		"nobody":                         {security{}, "zk1:2181", false},
		"a password and an unknown host": {alice, "", false},
	} {
		c := &client{settings: settings{security: test.security, zookeeper: types.StringValue(test.servers)}}
		if test.servers == "" {
			c.settings.zookeeper = types.StringUnknown()
		}
		var diags diag.Diagnostics
		for range 3 {
			c.request(lockModel{LockID: types.StringValue("l")}, &diags)
		}
		if got := diags.WarningsCount(); diags.HasError() || got != map[bool]int{true: 1}[test.warns] {
			t.Errorf("%s: %v", name, diags)
		}
	}
}

// Names from the environment, which Terraform does not normalize, mean the same as in a
// configuration: an "é" is the same letter, however it is encoded.
func TestNamesAreNormalized(t *testing.T) {
	dirs := map[string]bool{}
	for _, way := range []string{"e\u0301", "\u00e9"} {
		t.Setenv("CLOCKER_LOCK_ROOT", "/r"+way+"gion")
		t.Setenv("CLOCKER_ZOOKEEPER", "zk1/"+way+"quipe")
		var diags diag.Diagnostics
		c := &client{settings: resolve(t.Context(), providerModel{}, &diags)}
		at, ok := c.request(lockModel{LockID: types.StringValue("d" + way + "ploiement")}, &diags)
		if !ok || len(diags) > 0 {
			t.Errorf("%q: %v", way, diags)
		}
		dirs[at.Lock.Dir] = true
	}
	if len(dirs) != 1 {
		t.Errorf("one lock is in %d directories: %v", len(dirs), dirs)
	}
	for _, variable := range []string{"CLOCKER_LOCK_ROOT", "CLOCKER_ZOOKEEPER"} {
		t.Setenv("CLOCKER_LOCK_ROOT", "/a")
		t.Setenv("CLOCKER_ZOOKEEPER", "zk1/a")
		t.Setenv(variable, os.Getenv(variable)+"\u202e")
		var diags diag.Diagnostics
		resolve(t.Context(), providerModel{}, &diags)
		if len(diags) != 1 || !strings.Contains(diags[0].Detail(), variable) || !strings.Contains(diags[0].Detail(), "U+202E") {
			t.Errorf("%s: %v", variable, diags)
		}
	}
}
