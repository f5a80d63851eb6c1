// SPDX-License-Identifier: MPL-2.0

// Package sasl has the client's side of the two SASL mechanisms (RFC 4422) that ZooKeeper
// servers know: GSSAPI, which is Kerberos, and DIGEST-MD5. It turns the server's words into
// ours, and knows neither sockets nor files.
//
// Sources: RFC 4752 (GSSAPI as a SASL mechanism), RFC 4121 and RFC 2743, section 3.1 (the
// tokens of Kerberos), RFC 2831 (DIGEST-MD5), and ZooKeeperServer.processSasl with
// ZooKeeperSaslServer and ZooKeeperSaslClient, which say what of these ZooKeeper uses: no
// security layer, no authorization identity, an empty first word of DIGEST-MD5, and an
// empty answer from a server that has no JAAS configuration.
package sasl

import (
	"errors"
	"fmt"
)

// Client is our side of one exchange.
type Client interface {
	// Next answers what the server said, which is nil at the beginning. done says that
	// both sides have proved who they are: there is no answer then.
	Next(challenge []byte) (answer []byte, done bool, err error)
}

var (
	// ErrUnproved says that the server did not prove who it is.
	ErrUnproved = errors.New("the server did not prove who it is")
	// ErrNoSASL says that the server answered nothing, as one without a JAAS configuration does.
	ErrNoSASL = fmt.Errorf("%w: it answers as a ZooKeeper server without SASL does", ErrUnproved)
	// ErrLayer says that the server wants to encrypt or sign all that follows.
	ErrLayer = errors.New("the server requires a SASL security layer (auth-int or auth-conf), which ZooKeeper has not")

	// ErrMechanism says that the server has been set up for another mechanism.
	ErrMechanism = fmt.Errorf("%w: it speaks another SASL mechanism", ErrUnproved)

	errOver = fmt.Errorf("%w: it goes on after the end of the SASL exchange", ErrUnproved)
)

// caught makes an error of a panic: the Kerberos library panics on some of what it
// does not understand.
func caught(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("the Kerberos library failed: %v", r)
	}
}
