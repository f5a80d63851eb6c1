// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"context"
	"fmt"
)

// authenticator tells the server who we are, on each new connection, after the server
// has accepted the session and before any request. exchange sends one packet, without
// its length, and returns the server's answer. It fails when the time for the attempt
// is over.
//
// The client library's AddAuth is not used: it deadlocks if a connection breaks while
// it sends the credentials again (go-zookeeper/zk pull request 163, open). It knows no
// SASL (issue 40, open).
type authenticator func(exchange func(packet []byte) (answer []byte, err error)) error

// Codes of KeeperException.Code with which a server answers to authentication.
const (
	codeAuthFailed   = -115
	codeAuthRequired = -124
)

// digest authenticates by username and password; nil if there are none.
func digest(user Digest) authenticator {
	if user.Username == "" {
		return nil
	}
	return func(exchange func([]byte) ([]byte, error)) error {
		const xid, opAuth = -4, 100
		packet := withNumber(withNumber(withNumber(nil, xid), opAuth), 0)
		for _, text := range []string{"digest", user.Username + ":" + user.Password.reveal()} {
			packet = append(withNumber(packet, len(text)), text...)
		}
		answer, err := exchange(packet)
		if err != nil {
			return fmt.Errorf("authentication as %s: %w", Quote(user.Username), err)
		}
		if len(answer) < replyHeader || number(answer) != xid {
			return fmt.Errorf("%w: it answers the authentication with another packet", errNotZooKeeper)
		}
		switch code := number(answer[12:]); code {
		case 0:
			return nil
		case codeAuthFailed:
			return fmt.Errorf("authentication as %s: %w", Quote(user.Username), ErrAuthFailed)
		case codeAuthRequired:
			return fmt.Errorf("authentication as %s: %w", Quote(user.Username), ErrAuthRequired)
		default:
			return fmt.Errorf("authentication as %s: the server answers with error %d", Quote(user.Username), code)
		}
	}
}

// identify prepares the authentication with a server before there is a connection to it: a
// KDC may be slow, and a server does not wait long for a client that has connected.
type identify func(ctx context.Context, server string) (authenticator, error)
