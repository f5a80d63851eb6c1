// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestParseConnectString(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		in      string
		servers []string
		chroot  string
	}{
		"a host":                       {in: "zk1", servers: []string{"zk1:2181"}},
		"a host and a port":            {in: "zk1:2182", servers: []string{"zk1:2182"}},
		"an IPv4 address":              {in: "10.0.0.1", servers: []string{"10.0.0.1:2181"}},
		"the lowest port":              {in: "zk1:1", servers: []string{"zk1:1"}},
		"the highest port":             {in: "zk1:65535", servers: []string{"zk1:65535"}},
		"a port with zeros":            {in: "zk1:02181", servers: []string{"zk1:2181"}},
		"several servers in order":     {in: "zk2,zk1:2182,zk3", servers: []string{"zk2:2181", "zk1:2182", "zk3:2181"}},
		"a chroot":                     {in: "zk1/a", servers: []string{"zk1:2181"}, chroot: "/a"},
		"a deep chroot behind a port":  {in: "zk1:2182/a/b.c/..d", servers: []string{"zk1:2182"}, chroot: "/a/b.c/..d"},
		"the root as chroot":           {in: "zk1/", servers: []string{"zk1:2181"}},
		"a chroot with a comma":        {in: "zk1,zk2/a,b", servers: []string{"zk1:2181", "zk2:2181"}, chroot: "/a,b"},
		"a chroot with a space inside": {in: "zk1/a b", servers: []string{"zk1:2181"}, chroot: "/a b"},
		"spaces around servers":        {in: " zk1 ,\tzk2:2182 /a \n", servers: []string{"zk1:2181", "zk2:2182"}, chroot: "/a"},
		"an IPv6 address":              {in: "[::1]", servers: []string{"[::1]:2181"}},
		"an IPv6 address and a port":   {in: "[fe80::1]:2182/a", servers: []string{"[fe80::1]:2182"}, chroot: "/a"},
		"an IPv6 address with a zone":  {in: "[fe80::1%eth0]:2182", servers: []string{"[fe80::1%eth0]:2182"}},
		"an IPv4 address in IPv6":      {in: "[::ffff:10.0.0.1]", servers: []string{"[::ffff:10.0.0.1]:2181"}},
		"an international name":        {in: "zoo.münchen.example", servers: []string{"zoo.münchen.example:2181"}},
		"a name with an underscore":    {in: "zk_1.default.svc", servers: []string{"zk_1.default.svc:2181"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := ParseConnectString(test.in)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(c.Servers, test.servers) || c.Chroot != test.chroot {
				t.Errorf("%q is servers %q and chroot %q, want %q and %q", test.in, c.Servers, c.Chroot, test.servers, test.chroot)
			}
			if want := strings.Join(test.servers, ",") + test.chroot; c.String() != want {
				t.Errorf("%q is written %q, want %q", test.in, c, want)
			}
		})
	}
}

func TestParseConnectStringRefusesAndSaysWhy(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ in, why string }{
		"nothing":                     {"", "names no server"},
		"only spaces":                 {" \t\n", "names no server"},
		"a URL":                       {"zk://zk1:2181/a", `leave out "zk://"`},
		"a URL of http":               {"http://zk1", `leave out "http://"`},
		"user information":            {"user@zk1", `it may be a password`},
		"no host before the chroot":   {"/a", "a server is empty"},
		"an empty server":             {"zk1,,zk2", "a server is empty"},
		"a comma at the end":          {"zk1,", "a server is empty"},
		"a comma at the start":        {",zk1", "a server is empty"},
		"a comma before the chroot":   {"zk1,/a", "a server is empty"},
		"semicolons":                  {"zk1;zk2", "the character ';'"},
		"spaces between servers":      {"zk1 zk2", "the character ' '"},
		"a port alone":                {":2181", "has no host"},
		"port 0":                      {"zk1:0", "from 1 to 65535"},
		"port 65536":                  {"zk1:65536", "from 1 to 65535"},
		"a port beyond all numbers":   {"zk1:99999999999999999999", "from 1 to 65535"},
		"a negative port":             {"zk1:-1", "from 1 to 65535"},
		"a port with a plus":          {"zk1:+1", "from 1 to 65535"},
		"a port that is no number":    {"zk1:http", "from 1 to 65535"},
		"a port in hex":               {"zk1:0x885", "from 1 to 65535"},
		"a port with a space":         {"zk1: 2181", "from 1 to 65535"},
		"no port behind the colon":    {"zk1:", "from 1 to 65535"},
		"no port before the chroot":   {"zk1:/a", "from 1 to 65535"},
		"IPv6 without brackets":       {"fe80::1", "in brackets"},
		"IPv6 without its end":        {"[fe80::1", "is not host:port"},
		"IPv6 without its start":      {"fe80:]", "is not host:port"},
		"IPv6 with something behind":  {"[fe80::1]2181", "is not host:port"},
		"IPv6 without port":           {"[fe80::1]:", "from 1 to 65535"},
		"IPv6 with port 0":            {"[fe80::1]:0", "from 1 to 65535"},
		"IPv4 in brackets":            {"[10.0.0.1]", "no IPv6 address"},
		"a name in brackets":          {"[zk1]", "no IPv6 address"},
		"nothing in brackets":         {"[]", "no IPv6 address"},
		"a zone without a name":       {"[fe80::1%]", "no IPv6 address"},
		"a zone with a space":         {"[fe80::1%a b]", "the character ' '"},
		"a control character":         {"zk\x001", `the character '\x00'`},
		"a line break in a host":      {"zk1\nzk2", `the character '\n'`},
		"a host that is not UTF-8":    {"zk\xff", "the character"},
		"a query":                     {"zk1?a=b", "the character '?'"},
		"a chroot with two slashes":   {"zk1//a", "a component is empty"},
		"two slashes alone":           {"zk1//", "a component is empty"},
		"two slashes in the chroot":   {"zk1/a//b", "a component is empty"},
		"a slash behind the chroot":   {"zk1/a/", "a component is empty"},
		"a dot in the chroot":         {"zk1/a/./b", `"." is relative`},
		"a dot as chroot":             {"zk1/.", `"." is relative`},
		"two dots in the chroot":      {"zk1/a/..", `".." is relative`},
		"a control in the chroot":     {"zk1/a\x01", "U+0001"},
		"a tab in the chroot":         {"zk1/a\tb", "U+0009"},
		"a chroot that is not UTF-8":  {"zk1/\xff", "not UTF-8"},
		"a server behind the chroot":  {"zk1/a:2181/,b/", "a component is empty"},
		"brackets behind an address":  {"[::1]]", "is not host:port"},
		"a bracket inside a name":     {"zk[1", "is not host:port"},
		"quotes around all":           {`"zk1"`, `the character '"'`},
		"a colon between two servers": {"zk1:zk2:2181", "is not host:port"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := ParseConnectString(test.in)
			if err == nil {
				t.Fatalf("%q is taken for %q", test.in, c)
			}
			if !errors.Is(err, ErrConnectString) {
				t.Errorf("no ErrConnectString: %v", err)
			}
			if !strings.Contains(err.Error(), test.why) {
				t.Errorf("%q is refused, but not because of %q: %v", test.in, test.why, err)
			}
			if c.Servers != nil || c.Chroot != "" {
				t.Errorf("an error comes with %q", c)
			}
		})
	}
}

// What may be a password or a key is not shown, whatever is wrong with the rest.
func TestConnectStringErrorShowsNoSecret(t *testing.T) {
	t.Parallel()
	key := strings.Repeat("MIGHAgEAMBMGByqGSM49AgEG", 4)
	for name, in := range map[string]string{
		"user and password":           "alice:hunter2@zk1:2181",
		"without a port":              "alice:hunter2@zk1",
		"in a URL":                    "zk://alice:hunter2@zk1:2181/a",
		"of several servers":          "alice:hunter2@zk1:2181,alice:hunter2@zk2:2181",
		"of the second server":        "zk1:2181,alice:hunter2@zk2:2181",
		"with a slash":                "alice:hunter2/hunter2@zk1:2181",
		"with several ats":            "alice:hunter2@hunter2@zk1:2181",
		"with a comma":                "alice:hunter2,hunter2@zk1:2181",
		"in brackets":                 "[alice:hunter2@::1]:2181",
		"and another error behind it": "alice:hunter2@zk1:port//",
		"with a control character":    "alice:hunter2\x1b@zk1",
		"a key":                       "-----BEGIN PRIVATE KEY-----\nhunter2\n",
		"a key of one line":           key,
		"a key behind a host":         "zk1:" + key,
	} {
		_, err := ParseConnectString(in)
		if !errors.Is(err, ErrConnectString) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		checkMessage(t, err)
		if text := err.Error(); strings.Contains(text, "hunter2") || strings.Contains(text, key[:20]) || strings.Contains(text, "BEGIN") {
			t.Errorf("%s: the error shows a secret: %v", name, err)
		}
	}
	// A path may have an @.
	if c, err := ParseConnectString("zk1/team@example.org"); err != nil || c.Chroot != "/team@example.org" {
		t.Errorf("%v, %v", c, err)
	}
}

func FuzzParseConnectString(f *testing.F) {
	for _, seed := range []string{
		"zk1", "zk1:2181,zk2:2182/a/b", "[fe80::1%eth0]:2181/a", " a , b /c ", "a//", "a/", "zk://a", "a:+1",
		"[::1%]", "[::1%:]", "a/ ", "a/\u00a0", "a/b\u0085", "\u00a0a\u2003,b", "a%", "a/\xff", "a/.", "-:1",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		c, err := ParseConnectString(in)
		if err != nil {
			if !errors.Is(err, ErrConnectString) || c.Servers != nil || c.Chroot != "" {
				t.Fatalf("%q: %v comes with %q", in, err, c)
			}
			checkMessage(t, err)
			if at := strings.LastIndexByte(in, '@'); at > 8 && strings.Contains(err.Error(), in[:at]) {
				t.Fatalf("%q: the error shows what stands before the @: %v", in, err)
			}
			return
		}
		if len(c.Servers) == 0 {
			t.Fatalf("%q has no server", in)
		}
		for _, server := range c.Servers {
			host, port, err := net.SplitHostPort(server)
			if n, numErr := strconv.Atoi(port); err != nil || numErr != nil || host == "" || n < 1 || n > 65535 {
				t.Fatalf("%q has the server %q", in, server)
			}
			checkText(t, server)
		}
		if c.Chroot != "" && (ValidatePath(c.Chroot) != nil || c.Chroot == "/") {
			t.Fatalf("%q has the chroot %q", in, c.Chroot)
		}
		again, err := ParseConnectString(c.String())
		if err != nil {
			t.Fatalf("%q is written %q, which is refused: %v", in, c, err)
		}
		if !slices.Equal(again.Servers, c.Servers) || again.Chroot != c.Chroot {
			t.Fatalf("%q is written %q, which reads %q", in, c, again)
		}
	})
}

// checkMessage makes sure that an error is one short line that no terminal and no
// wire stumbles over, whatever it is about.
func checkMessage(t *testing.T, err error) {
	t.Helper()
	checkText(t, err.Error())
	if n := len(err.Error()); n > 2000 {
		t.Errorf("the message is %d bytes long: %.100s", n, err)
	}
}

func checkText(t *testing.T, text string) {
	t.Helper()
	if i := strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 || !utf8.ValidString(text) {
		t.Errorf("%q is not printable", text)
	}
}
