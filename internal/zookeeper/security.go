package zookeeper

import (
	"fmt"
	"io"
	"unique"

	"github.com/go-zookeeper/zk"
)

// Secret is text that no formatting shows, not even of a struct that has it in an
// unexported field, where fmt prints what it finds instead of asking. It goes to
// the server, and by gob over the pipe to the holder, and nowhere else. Secrets
// with the same text are equal; the zero value is the empty text.
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

// MarshalText hides the text from encodings that are for people to read.
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
	// creatorACL lets whoever created a znode do all, and everyone read.
	creatorACL = append(zk.AuthACL(zk.PermAll), zk.WorldACL(zk.PermRead)...)
	// sharedACL lets everyone read, and have children of their own.
	sharedACL = append(zk.AuthACL(zk.PermAll), zk.WorldACL(zk.PermRead|zk.PermCreate|zk.PermDelete)...)
)
