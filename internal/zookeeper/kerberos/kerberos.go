// SPDX-License-Identifier: MPL-2.0

// Package kerberos gets tickets for ZooKeeper servers from a KDC, for a user whose secret is in
// a keytab, is a password, or who has logged in before and left a ticket in a credential cache.
//
// It reads no environment variable, and no file but those that it is told of, since it
// runs in a process that has neither. The messages, the encryption and the format of
// keytabs are the Kerberos library's (RFC 4120, RFC 3961). What the library lacks is here:
// errors that can be told apart, an end to what hangs, the configuration files that
// systems come with, and no trust in lengths and counts.
package kerberos

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-krb5/krb5/iana/nametype"
	"github.com/go-krb5/krb5/messages"
	"github.com/go-krb5/krb5/types"
)

// User is who wants tickets, and how that is proved: with one of the keytab, the password and the
// credential cache.
type User struct {
	// Principal is name[/instance][@REALM]. It can be empty for a cache, and for a keytab
	// with one principal; the realm is the configuration's default if it is missing.
	Principal string

	Keytab     string // its content
	KeytabFile string // or its absolute path; read again at each login
	Password   string
	Cache      string // FILE: or DIR: and an absolute path; read again when a ticket is needed

	// Configuration are the paths of krb5.conf files, those in front win. They are read again
	// at each login. Missing ones are no error.
	Configuration []string
}

// Ticket is for one server.
type Ticket struct {
	Client types.PrincipalName
	Realm  string // of Client
	Server string // service/host@REALM
	Ticket messages.Ticket
	Key    types.EncryptionKey
	Start  time.Time
	End    time.Time
}

// User is the client's name with its realm.
func (t Ticket) User() string { return t.Client.PrincipalNameString() + "@" + t.Realm }

// Error says why there is no ticket.
type Error struct {
	Err error
	// Advice is what to do, in a sentence or two; it can be empty.
	Advice string
	// Permanent says that another try would fail in the same way.
	Permanent bool
	// OfServer says that it is so for this server only.
	OfServer bool
}

// Error says what happened.
func (e *Error) Error() string { return "Kerberos: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Remedy is the advice.
func (e *Error) Remedy() string { return e.Advice }

// permanent is an error that another try does not mend.
func permanent(advice, format string, args ...any) *Error {
	return &Error{Err: fmt.Errorf(format, args...), Advice: advice, Permanent: true}
}

// caught makes an error of a panic: the Kerberos library panics on some of what it does not
// understand. What it says of it can contain keys, and is dropped.
func caught(err *error) {
	if recover() != nil {
		*err = &Error{Err: errors.New("the Kerberos library failed on a message that it does not understand")}
	}
}

// splitPrincipal reads name[/instance][@REALM]. An @ in a name is written \@.
func splitPrincipal(text string) (name types.PrincipalName, realm string, err error) {
	var parts []string
	var part strings.Builder
	inRealm := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text):
			i++
			part.WriteByte(text[i])
		case c == '/' && !inRealm:
			parts = append(parts, part.String())
			part.Reset()
		case c == '@' && !inRealm:
			parts = append(parts, part.String())
			part.Reset()
			inRealm = true
		case c == '@':
			return name, "", errors.New("it has more than one @")
		default:
			part.WriteByte(c)
		}
	}
	if inRealm {
		if realm = part.String(); realm == "" {
			return name, "", errors.New("its realm is empty")
		}
	} else {
		parts = append(parts, part.String())
	}
	for _, p := range parts {
		if p == "" {
			return name, "", errors.New("a part of its name is empty")
		}
	}
	return types.PrincipalName{NameType: nametype.KRB_NT_PRINCIPAL, NameString: parts}, realm, nil
}

// CheckPrincipal says what is wrong with name[/instance][@REALM].
func CheckPrincipal(text string) error {
	_, _, err := splitPrincipal(text)
	return err
}
