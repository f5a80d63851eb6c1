// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// Nothing that is shown garbles a terminal, or is longer than anybody reads.
func FuzzShown(f *testing.F) {
	for _, seed := range []string{"", "/a/b", "\x1b[31m", "\u202egnp", "a\u200b", "\xff", "\u009b", strings.Repeat("ä", 5000), "a\nb", "\ufeff", strings.Repeat("\x80", 2000)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		for what, shown := range map[string]string{"Quote": Quote(in), "Shown": Shown(in), "Clean": strings.ReplaceAll(Clean(in), "\n", ""), "FirstOf": FirstOf([]string{Shown(in), Shown(in), Shown(in), "b", "c"})} {
			if i := strings.IndexFunc(shown, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 || !utf8.ValidString(shown) {
				t.Errorf("%s of %q is %q", what, in, shown)
			}
			const longest = 10 // bytes of an escape
			if len(shown) > longest*maxText {
				t.Errorf("%s of %d bytes has %d", what, len(in), len(shown))
			}
		}
		if Shown(in) == in && Clean(in) != in && len(in) < maxShown {
			t.Errorf("%q is shown as it is, and clean it is %q", in, Clean(in))
		}
	})
}

func TestFirstOf(t *testing.T) {
	t.Parallel()
	for want, list := range map[string][]string{
		"": nil, "a": {"a"}, "a, b, c": {"a", "b", "c"}, "a, b, c and 1 more": {"a", "b", "c", "d"}, "a, b, c and 2 more": {"a", "b", "c", "d", "e"},
	} {
		if got := FirstOf(list); got != want {
			t.Errorf("%q are %q, want %q", list, got, want)
		}
	}
}

func TestLooksSecret(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"": false, "zk1.example.org:2181,zk2.example.org:2181/team": false, "/etc/zookeeper/certificates/of-the-team/ca.pem": false,
		strings.Repeat("0123456789abcdef", 4): false, "hunter2": false,
		"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg": true, "-----BEGIN EC PRIVATE KEY-----": true,
		"LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tCk1JR0hBZ0VBTUJN": true, "BEGIN PRIVATE KEY": true,
	} {
		if got := LooksSecret(text); got != want {
			t.Errorf("%q looks secret: %t", text, got)
		}
	}
}
