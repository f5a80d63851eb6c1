// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"errors"
	"strings"
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// names are components of a path: good ones are accepted by the server, the
// others by neither the server nor the client library.
var names = map[string]struct {
	name string
	good bool
}{
	"letters":                         {"deploy", true},
	"three dots":                      {"...", true},
	"a leading dot":                   {".a", true},
	"dots and a letter":               {"..a", true},
	"a trailing dot":                  {"a.", true},
	"trailing dots":                   {"a..", true},
	"spaces":                          {" a b ", true},
	"a tilde":                         {"~", true},
	"percent and question mark":       {"%2F?#", true},
	"a backslash":                     {`\`, true},
	"non-breaking space":              {"\u00a0", true},
	"umlauts":                         {"äöü", true},
	"Chinese":                         {"锁", true},
	"the last before surrogates":      {"\ud7ff", true},
	"the first after the private use": {"\uf900", true},
	"the last before the specials":    {"\uffef", true},
	"255 bytes":                       {strings.Repeat("a", 255), true},

	"nothing":                {"", false},
	"a dot":                  {".", false},
	"two dots":               {"..", false},
	"a slash":                {"a/", false},
	"null":                   {"a\x00b", false},
	"the first control":      {"\x01", false},
	"a line break":           {"a\nb", false},
	"the last low control":   {"\x1f", false},
	"delete":                 {"\x7f", false},
	"the last high control":  {"\u009f", false},
	"private use":            {"\ue000", false},
	"the end of private use": {"\uf8ff", false},
	"the first special":      {"\ufff0", false},
	"the replacement":        {"\ufffd", false},
	"the last special":       {"\uffff", false},
	"an emoji":               {"\U0001f512", false},
	"the last character":     {"\U0010ffff", false},
	"not UTF-8":              {"a\xffb", false},
	"half a character":       {"\xe9\x94", false},
}

func TestValidateName(t *testing.T) {
	t.Parallel()
	for name, test := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := ValidateName(test.name); (err == nil) != test.good {
				t.Errorf("%q: %v", test.name, err)
			}
		})
	}
}

// The server is the judge: what we accept it must take, and what we refuse must
// not be refused for nothing.
func TestValidateNameAgreesWithTheServer(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	s := open(t, config(space.Addr()))
	for name, test := range names {
		t.Run(name, func(t *testing.T) {
			path := space.Path("/" + test.name)
			if test.name == "" || strings.HasSuffix(test.name, "/") {
				path = space.Chroot() + "/" + test.name
			}
			created, err := s.Create(bounded(t), path, nil, Ephemeral)
			if !test.good {
				// The client library sends a name that is not UTF-8, and the server
				// reads another one out of it: the node is there, but not as asked.
				if err == nil && created == path {
					t.Errorf("the server made %q", created)
				}
				if err != nil && !Answered(err) {
					t.Errorf("want a refusal, got %v", err)
				}
				return
			}
			if err != nil || created != path {
				t.Fatalf("the server made %q, %v; want %q", created, err, path)
			}
			if err := s.Delete(bounded(t), path); err != nil {
				t.Error(err)
			}
		})
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestValidatePath(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		path string
		why  string // "" is good
	}{
		"the root":           {"/", ""},
		"one component":      {"/a", ""},
		"several":            {"/a/b/..c", ""},
		"nothing":            {"", "begin with a slash"},
		"no slash":           {"a/b", "begin with a slash"},
		"a trailing slash":   {"/a/", "a component is empty"},
		"two slashes":        {"//", "a component is empty"},
		"two slashes inside": {"/a//b", "a component is empty"},
		"a dot":              {"/a/./b", "relative"},
		"two dots":           {"/../b", "relative"},
		"a control":          {"/a/\x01", "U+0001"},
		"not UTF-8":          {"/a/\xff", "not UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := ValidatePath(test.path)
			switch {
			case test.why == "" && err != nil:
				t.Error(err)
			case test.why != "" && (err == nil || !strings.Contains(err.Error(), test.why)):
				t.Errorf("%q: %v, want %q", test.path, err, test.why)
			}
		})
	}
}

// The client library has a check of its own, before it sends anything: what we
// accept must pass it too, or a user would be told so late and badly.
func FuzzValidatePath(f *testing.F) {
	for _, test := range names {
		f.Add("/a/" + test.name)
	}
	// Never connected: the check comes before the connection matters.
	conn, events, err := zk.Connect([]string{"127.0.0.1:1"}, 1, zk.WithLogger(newTransport(0)))
	if err != nil {
		f.Fatal(err)
	}
	conn.Close()
	for range events {
		// Its end is what we wait for.
	}
	f.Fuzz(func(t *testing.T, path string) {
		if err := ValidatePath(path); err != nil {
			checkMessage(t, err)
			return
		}
		if _, err := conn.Create(path, nil, Persistent, openACL); errors.Is(err, zk.ErrInvalidPath) {
			t.Errorf("we accept %q, the client library does not", path)
		}
	})
}
