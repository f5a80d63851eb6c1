// SPDX-License-Identifier: MPL-2.0

package provider

import "testing"

// Two lists with a common server name the same ensemble, in any order and spelling.
func TestServersInCommon(t *testing.T) {
	t.Parallel()
	list := func(servers ...string) []string { return servers }
	for name, test := range map[string]struct {
		a, b []string
		want bool
	}{
		"the same":          {list("zk1:2181", "zk2:2181"), list("zk1:2181", "zk2:2181"), true},
		"another order":     {list("zk1:2181", "zk2:2181"), list("zk2:2181", "zk1:2181"), true},
		"one more":          {list("zk1:2181"), list("zk0:2181", "zk1:2181"), true},
		"capitals":          {list("ZK1.example.com:2181"), list("zk1.Example.com:2181"), true},
		"a dot at the end":  {list("zk1.example.com.:2181"), list("zk1.example.com:2181"), true},
		"an IPv6 address":   {list("[FD00::1]:2181"), list("[fd00::1]:2181"), true},
		"other addresses":   {list("[fd00::1]:2181"), list("[fd00::2]:2181"), false},
		"another port":      {list("localhost:2181"), list("localhost:2182"), false},
		"others altogether": {list("zk1:2181", "zk2:2181"), list("zk3:2181"), false},
		"none":              {nil, list("zk3:2181"), false},
	} {
		if got := haveCommon(test.a, test.b); got != test.want || haveCommon(test.b, test.a) != got {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A command line can be pasted, whatever the name of the lock is.
func TestShellWord(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]string{
		"web/rollout-1": "web/rollout-1",
		"":              "''",
		"two words":     "'two words'",
		"$(rm)":         "'$(rm)'",
		"it's":          `'it'\''s'`,
		"übung":         "'übung'",
	} {
		if got := shellWord(word); got != want {
			t.Errorf("%q is %s, want %s", word, got, want)
		}
	}
}
