// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParseContender(t *testing.T) {
	t.Parallel()
	const hex = "0123456789abcdef0123456789abcdef"
	const uuid = "_c_6b7d2b8e-93c1-4d3c-9d52-2f3a1f0f3a11-"
	for name, test := range map[string]struct {
		in       string
		sequence int32
		mode     Mode // "" is no contender
	}{
		"ours, exclusive":     {"ex-" + hex + "__lock__0000000007", 7, Exclusive},
		"ours, shared":        {"sh-" + hex + "__rlock__0000000007", 7, Shared},
		"ours, semaphore":     {"sem-" + hex + "__lock__0000000007", 7, Semaphore},
		"ours, for Curator":   {"ex-" + hex + "-lock-0000000007", 7, Exclusive},
		"gem, exclusive":      {"ex0000000007", 7, Exclusive},
		"gem, shared":         {"sh0000000007", 7, Shared},
		"gem, semaphore":      {"sem0000000007", 7, Semaphore},
		"Kazoo Lock":          {hex + "__lock__0000000007", 7, Exclusive},
		"Kazoo WriteLock":     {hex + "__lock__0000000007", 7, Exclusive},
		"Kazoo ReadLock":      {hex + "__rlock__0000000007", 7, Shared},
		"Curator mutex":       {uuid + "lock-0000000007", 7, Exclusive},
		"Curator, unguarded":  {"lock-0000000007", 7, Exclusive},
		"Curator, writer":     {uuid + "__WRIT__0000000007", 7, Exclusive},
		"Curator, reader":     {uuid + "__READ__0000000007", 7, Shared},
		"Curator semaphore":   {uuid + "lease-0000000007", 7, Exclusive},
		"go-zookeeper":        {"_c_" + hex + "-lock-0000000007", 7, Exclusive},
		"recipe, reader":      {"read-0000000007", 7, Shared},
		"recipe, with an id":  {"6b7d2b8e-93c1-4d3c-9d52-2f3a1f0f3a11-read-0000000007", 7, Shared},
		"recipe, writer":      {"write-0000000007", 7, Exclusive},
		"recipe, lock":        {"lock-0000000007", 7, Exclusive},
		"unknown client":      {"mutex-0000000007", 7, Exclusive},
		"nothing but digits":  {"0000000007", 7, Exclusive},
		"made by hand":        {"7", 7, Exclusive},
		"few digits, marker":  {"lock-7", 7, Exclusive},
		"many digits, marker": {"lock-000000000007", 7, Exclusive},

		"first":                         {"lock-0000000000", 0, Exclusive},
		"last before the wrap":          {"lock-2147483647", 1<<31 - 1, Exclusive},
		"first after the wrap":          {"lock--2147483648", -1 << 31, Exclusive},
		"last before zero":              {"lock--000000001", -1, Exclusive},
		"gem, wrapped":                  {"ex-2147483648", -1 << 31, Exclusive},
		"gem, last before zero":         {"sh-000000001", -1, Shared},
		"ours, wrapped":                 {"ex-" + hex + "__lock__-2147483648", -1 << 31, Exclusive},
		"ours, shared and wrapped":      {"sh-" + hex + "__rlock__-000000001", -1, Shared},
		"unknown client, wrapped":       {"mutex--2147483648", -1 << 31, Exclusive},
		"unknown client, before zero":   {"mutex--000000001", -1, Exclusive},
		"unknown client, no separator":  {"mutex-000000001", -1, Exclusive},
		"nothing but digits, wrapped":   {"-2147483648", -1 << 31, Exclusive},
		"minus zero":                    {"lock--000000000", 0, Exclusive},
		"one too many":                  {"lock-2147483648", -1 << 31, Exclusive}, // as the unknown marker "lock"
		"one too few":                   {"lock--2147483649", 0, ""},
		"beyond 64 bits":                {"lock-99999999999999999999", 0, ""},
		"beyond, with a number inside":  {"lock-99999999990000000007", 7, Exclusive},
		"unknown client, ten nines":     {"mutex-9999999999", 0, ""},
		"unknown client, too short":     {"mutex-000000007", -7, Exclusive},
		"unknown client, eight digits":  {"mutex-00000007", 0, ""},
		"unknown client, letter behind": {"mutex-0000000007a", 0, ""},

		"nothing":                  {"", 0, ""},
		"a plus":                   {"+", 0, ""},
		"a minus":                  {"-", 0, ""},
		"plus and number":          {"+7", 0, ""},
		"marker, plus, number":     {"lock-+000000007", 0, ""},
		"marker alone":             {"lock-", 0, ""},
		"gem's marker alone":       {"ex", 0, ""},
		"no number":                {"config", 0, ""},
		"underscores in numbers":   {"lock-0_7", 0, ""},
		"hex":                      {"lock-0x7", 0, ""},
		"a space before":           {"lock- 7", 0, ""},
		"a line break behind":      {"lock-0000000007\n", 0, ""},
		"digits of others":         {"lock-٠٠٠٠٠٠٠٠٠٧", 0, ""},
		"digits of others alone":   {"７", 0, ""},
		"not UTF-8":                {"\xff\xfe", 0, ""},
		"not UTF-8, numbered":      {"\xff-lock-0000000007", 7, Exclusive},
		"capitals":                 {"LOCK-0000000007", 7, Exclusive},
		"a word that begins ex":    {"example", 0, ""},
		"a word and a number":      {"shell7", 0, ""},
		"a word that ends in read": {"thread-0000000007", 7, Exclusive},
		"a word, and then reader":  {"thread-read-0000000007", 7, Shared},
		"Kazoo's semaphore":        {hex, 0, ""},
		"the same, with digits":    {hex[:22] + "0000000007", 0, ""},
		"a UUID with digits":       {"6b7d2b8e-93c1-4d3c-9d52-2f0000000007", 0, ""},
		"digits behind a UUID":     {hex + "0000000007", 7, Exclusive},
		"huge":                     {strings.Repeat("x", 1<<16) + "__lock__0000000007", 7, Exclusive},

		"a marker in a marker":      {"__lock__lock-0000000007", 7, Exclusive},
		"reader in writer":          {"__READ____WRIT__0000000007", 7, Exclusive},
		"writer in reader":          {"__WRIT____READ__0000000007", 7, Shared},
		"reader before a lock":      {"read-lock-0000000007", 7, Exclusive},
		"a lock before a reader":    {"lock-read-0000000007", 7, Shared},
		"a reader's marker with ex": {"ex-" + hex + "__rlock__0000000007", 7, Shared},
		"sh with a lock's marker":   {"sh-" + hex + "__lock__0000000007", 7, Exclusive},
		"sem in a word":             {"semi__lock__0000000007", 7, Exclusive},
		"number before the marker":  {"0000000007lock-", 0, ""},
		"two numbers":               {"lock-0000000003-lock-0000000007", 7, Exclusive},
		"a directory of the gem":    {"sem-0000000007", -7, Semaphore},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, ok := ParseContender(test.in)
			if ok != (test.mode != "") {
				t.Fatalf("%.80q: contender %v, %+v", test.in, ok, c)
			}
			if !ok {
				if c != (Contender{}) {
					t.Errorf("no contender, but %+v", c)
				}
				return
			}
			if c.Name != test.in || c.Sequence != test.sequence || c.Mode != test.mode {
				t.Errorf("%.80q: number %d, mode %q; want %d, %q", test.in, c.Sequence, c.Mode, test.sequence, test.mode)
			}
		})
	}
}

func FuzzParseContender(f *testing.F) {
	for _, seed := range []string{"", "+", "-", "ex-1", "lock--2147483648", "__lock____rlock__-000000001", "sem-x__lock__5", "\xfflock-5", "9999999999"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		c, ok := ParseContender(name)
		if !ok {
			if c != (Contender{}) {
				t.Errorf("%q is none, but %+v", name, c)
			}
			return
		}
		if c.Name != name || c.Mode != Exclusive && c.Mode != Shared && c.Mode != Semaphore {
			t.Errorf("%q is %+v", name, c)
		}
		if last := name[len(name)-1]; last < '0' || last > '9' {
			t.Errorf("%q does not end in a digit, but is %+v", name, c)
		}
	})
}

// Whatever a client puts before the number that the server appends, it is read as that
// number. Only a minus can be taken for what it is not: the end of a prefix that is no
// marker for the number's sign, and the sign for the end of the marker that it makes.
func FuzzNumberOfTheServer(f *testing.F) {
	for _, seed := range []string{"", "lock-", "ex", "sem-x__lock__", "mutex", "ex+", "\xff", "x-5", "0123456789abcdef0123456789abcdef"} {
		f.Add(seed, int32(7))
		f.Add(seed, int32(-1))
		f.Add(seed, int32(-1<<31))
	}
	f.Fuzz(func(t *testing.T, prefix string, n int32) {
		marked := func(s string) bool {
			return slices.ContainsFunc(markers, func(m marker) bool { return strings.HasSuffix(s, m.text) })
		}
		name := prefix + fmt.Sprintf("%010d", n)
		before := strings.TrimRight(prefix, "0123456789")
		if strings.HasSuffix(before, "-") && !marked(before) || n < 0 && marked(prefix+"-") || unnumbered.MatchString(name) {
			return
		}
		if c, ok := ParseContender(name); !ok || c.Sequence != n {
			t.Errorf("%q is read as %+v, %v", name, c, ok)
		}
	})
}

// Names come back from the server as they were given: a number is appended to our
// prefixes, and the whole must be read as what it was meant for.
func TestNewPrefix(t *testing.T) {
	t.Parallel()
	const run = "0123456789abcdef"
	for name, test := range map[string]struct {
		req    Request
		begins string
		mode   Mode
	}{
		"exclusive":  {Request{}, "ex-" + run, Exclusive},
		"shared":     {Request{Mode: Shared}, "sh-" + run, Shared},
		"semaphore":  {Request{Slots: 3}, "sem-" + run, Semaphore},
		"Curator":    {Request{Layout: Curator}, "ex-" + run, Exclusive},
		"most slots": {Request{Slots: MaxSlots}, "sem-" + run, Semaphore},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.req.Data.Run = run
			prefix, other := prefixOf(test.req), prefixOf(test.req)
			if prefix == other {
				t.Error("two contenders have one prefix")
			}
			if !strings.HasPrefix(prefix, test.begins) || !utf8.ValidString(prefix) {
				t.Errorf("the prefix is %q, want %s", prefix, test.begins)
			}
			for _, number := range []string{"0000000042", "-2147483648", "-000000001"} {
				if c, ok := ParseContender(prefix + number); !ok || c.Mode != test.mode {
					t.Errorf("%s is read as %+v, %v", prefix+number, c, ok)
				}
			}
			if c, _ := ParseContender(prefix + "0000000042"); c.Slots != test.req.Slots {
				t.Errorf("%s says %d slots, want %d", prefix, c.Slots, test.req.Slots)
			}
			for _, id := range []string{"", "short", run + "0"} {
				test.req.Data.Run = id
				if p := prefixOf(test.req); strings.HasPrefix(p, test.begins) || len(p) != len(prefix) {
					t.Errorf("a run without a proper id has %s", p)
				}
			}
		})
	}
}
