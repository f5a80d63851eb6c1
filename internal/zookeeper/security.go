// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"fmt"
	"io"
	"unique"

	"github.com/go-zookeeper/zk"
)

// Secret is text that fmt does not show, not even in an unexported field of a struct,
// where fmt calls no method. It goes to the server, and by gob over the socket to the
// holder process, and nowhere else. Secrets with the same text are equal; the zero value
// is the empty text.
type Secret struct{ handle unique.Handle[string] } // a pointer, to fmt

const hidden = "(secret)"

// NewSecret hides text.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{unique.Make(text)}
}

func (s Secret) reveal() string {
	if s == (Secret{}) {
		return ""
	}
	return s.handle.Value()
}

// Format hides the text from all verbs of fmt.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// MarshalText hides the text from encodings for people, such as JSON.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// GobEncode gives the text.
func (s Secret) GobEncode() ([]byte, error) { return []byte(s.reveal()), nil }

// GobDecode takes the text.
func (s *Secret) GobDecode(text []byte) error {
	*s = NewSecret(string(text))
	return nil
}

// Digest is a user of the digest authentication scheme. The zero value is nobody.
type Digest struct {
	Username string
	Password Secret
}

// ACLs of what a session creates.
var (
	openACL = zk.WorldACL(zk.PermAll)
	// creatorACL lets the creator of a znode do all, and everyone read.
	creatorACL = append(zk.AuthACL(zk.PermAll), zk.WorldACL(zk.PermRead)...)
	// sharedACL is creatorACL, but lets everyone create and delete children.
	sharedACL = append(zk.AuthACL(zk.PermAll), zk.WorldACL(zk.PermRead|zk.PermCreate|zk.PermDelete)...)
)
