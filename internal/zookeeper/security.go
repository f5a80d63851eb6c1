package zookeeper

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
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

// TLS is how to encrypt connections. Certificates and the key are PEM texts.
type TLS struct {
	CA                 string // who signs the servers' certificates; empty for the system's
	Cert               string // our certificate, for mutual TLS
	Key                Secret // and its key
	ServerName         string // what the servers' certificates must name; empty for the host connected to
	InsecureSkipVerify bool
}

// TLSError says which part of a [TLS] is unusable: "ca", "cert" or "key".
type TLSError struct {
	Part string
	Err  error
}

// Error names the part.
func (e *TLSError) Error() string { return fmt.Sprintf("zookeeper: tls %s: %v", e.Part, e.Err) }

// Unwrap returns the cause.
func (e *TLSError) Unwrap() error { return e.Err }

// Config makes the configuration of a TLS client, or a [*TLSError].
func (t TLS) Config() (*tls.Config, error) {
	config := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		ServerName:         t.ServerName,
		InsecureSkipVerify: t.InsecureSkipVerify, //nolint:gosec // asked for, and warned of by the provider
	}
	if t.CA != "" {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM([]byte(t.CA)) {
			return nil, &TLSError{"ca", errors.New("it holds no PEM certificate")}
		}
	}
	switch {
	case t.Cert == "" && t.Key == (Secret{}):
		return config, nil
	case t.Cert == "":
		return nil, &TLSError{"cert", errors.New("the key needs its certificate")}
	case t.Key == (Secret{}):
		return nil, &TLSError{"key", errors.New("the certificate needs its key")}
	}
	pair, err := tls.X509KeyPair([]byte(t.Cert), []byte(t.Key.reveal()))
	if err != nil {
		return nil, &TLSError{"cert", err}
	}
	config.Certificates = []tls.Certificate{pair}
	return config, nil
}

// ACLs of what a session creates.
var (
	openACL = zk.WorldACL(zk.PermAll)
	// creatorACL lets whoever created a znode do all, and everyone read.
	creatorACL = append(zk.AuthACL(zk.PermAll), zk.WorldACL(zk.PermRead)...)
	// sharedACL lets everyone read, and have children of their own.
	sharedACL = append(zk.AuthACL(zk.PermAll), zk.WorldACL(zk.PermRead|zk.PermCreate|zk.PermDelete)...)
)
