// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"github.com/clocker/terraform-provider-clocker/internal/zookeeper/kerberos"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper/sasl"
)

// identifying returns how a client with this configuration authenticates. tickets are those
// of its Kerberos user, nil for other users.
func identifying(cfg Config, tickets *kerberos.Tickets) identify {
	against := &refusals{servers: cfg.Servers, by: make(map[string]bool)}
	switch {
	case tickets != nil:
		return func(ctx context.Context, server string) (authenticator, error) {
			return byTicket(ctx, tickets, server, against)
		}
	case cfg.SASL != (SASLUser{}):
		return func(_ context.Context, server string) (authenticator, error) {
			return byPassword(cfg.SASL, server, against), nil
		}
	}
	auth := digest(cfg.Auth)
	return func(context.Context, string) (authenticator, error) { return auth, nil }
}

// refusals are the servers with which no authentication is possible. While there are other
// servers, the client goes on.
type refusals struct {
	servers []string
	mu      sync.Mutex
	by      map[string]bool
}

// judge takes note of how an authentication with a server ended, and returns its error. The
// error is [transient] if another server may not return it.
func (r *refusals) judge(server string, final bool, err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !final {
		delete(r.by, server)
		return err
	}
	r.by[server] = true
	for _, other := range r.servers {
		if !r.by[other] {
			return transient{err}
		}
	}
	return err
}

// byTicket authenticates by a Kerberos ticket.
func byTicket(ctx context.Context, tickets *kerberos.Tickets, server string, against *refusals) (authenticator, error) {
	host, _, err := net.SplitHostPort(server)
	if err != nil {
		return nil, err
	}
	ticket, kept, err := tickets.Get(ctx, host)
	if err != nil {
		var known *kerberos.Error
		return nil, against.judge(server, errors.As(err, &known) && known.OfServer, err)
	}
	return func(exchange func([]byte) ([]byte, error)) error {
		err := converse(sasl.GSSAPI(ticket), exchange)
		if err == nil {
			return against.judge(server, false, nil)
		}
		err = fmt.Errorf("Kerberos authentication as %s with %s: %w", Quote(ticket.User()), ticket.Server, err)
		if kept && (refusedLogin(err) || errors.Is(err, errHungUp)) {
			// The server's key may be newer than the ticket. The next attempt gets a new one.
			tickets.Doubt(host)
			return transient{err}
		}
		return against.judge(server, final(err), refused(err, adviceTicket))
	}, nil
}

// byPassword authenticates by DIGEST-MD5.
func byPassword(user SASLUser, server string, against *refusals) authenticator {
	return func(exchange func([]byte) ([]byte, error)) error {
		// Every ZooKeeper has these (SaslServerPrincipal, ZooKeeperSaslServer).
		const service, host = "zookeeper", "zk-sasl-md5"
		err := converse(sasl.DigestMD5(service, host, user.Username, user.Password.reveal()), exchange)
		if err == nil {
			return against.judge(server, false, nil)
		}
		err = fmt.Errorf("DIGEST-MD5 authentication as %s: %w", Quote(user.Username), err)
		// All servers know the same users.
		return against.judge(server, final(err) && !refusedLogin(err), refused(err, adviceMD5))
	}
}

const (
	adviceTicket = "The servers refuse Kerberos. What to look at: the server's log; its keytab, which has to have the present key of that principal (`klist -kte`, `kvno`); " +
		"the clocks; whether its JAAS configuration (java.security.auth.login.config, section Server) uses Krb5LoginModule."
	adviceMD5 = "The servers refuse DIGEST-MD5. Check username and password in the digest_md5 block against the server's JAAS configuration (DigestLoginModule, user_<name>). " +
		"From ZooKeeper 3.9.6 on, servers have it only with -Dzookeeper.fips-mode=false. A server with Krb5LoginModule wants the kerberos block instead."
	adviceNoSASL = "The server has no JAAS configuration for SASL (java.security.auth.login.config, section Server), so it cannot prove who it is. Set one there, or leave out the %s block."
	adviceFalse  = "The process that answers there has not the key of the ZooKeeper server, or does not know the password. Check the connect string."
)

// refused says what to do about a failed authentication. If the connection broke, the client
// tries again.
func refused(err error, advice string) error {
	switch {
	case errors.Is(err, errHungUp):
		return transient{&refusedError{err, "The server closed the connection, as ZooKeeper 3.4 does when it refuses a login. " + advice}}
	case !final(err):
		return err
	case errors.Is(err, sasl.ErrNoSASL) && advice == adviceMD5:
		advice = fmt.Sprintf(adviceNoSASL, "digest_md5")
	case errors.Is(err, sasl.ErrNoSASL):
		advice = fmt.Sprintf(adviceNoSASL, "kerberos")
	case errors.Is(err, sasl.ErrMechanism):
	case errors.Is(err, sasl.ErrUnproved):
		advice = adviceFalse
	}
	return &refusedError{err, advice}
}

// final returns whether another attempt would fail in the same way.
func final(err error) bool {
	return refusedLogin(err) || errors.Is(err, sasl.ErrUnproved) || errors.Is(err, sasl.ErrLayer)
}

// refusedLogin returns whether the server refuses the user.
func refusedLogin(err error) bool {
	return errors.Is(err, ErrAuthFailed) || errors.Is(err, ErrAuthRequired)
}

// converse sends and receives the messages of a SASL exchange (GetSASLRequest and
// SetSASLResponse in zookeeper.jute) until both sides have proved who they are.
func converse(client sasl.Client, exchange func([]byte) ([]byte, error)) error {
	const xid, opSASL, rounds = -4, 102, 8
	var challenge []byte
	for range rounds {
		answer, done, err := client.Next(challenge)
		if err != nil || done {
			return err
		}
		packet := withNumber(withNumber(nil, xid), opSASL)
		packet = append(withNumber(packet, len(answer)), answer...)
		reply, err := exchange(packet)
		if err != nil {
			return err
		}
		if challenge, err = saslReply(reply, xid); err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: the SASL exchange does not end", errNotZooKeeper)
}

// saslReply returns the server's SASL message in an answer, or its refusal.
func saslReply(packet []byte, xid int32) ([]byte, error) {
	if len(packet) < replyHeader || number(packet) != xid {
		return nil, fmt.Errorf("%w: it answers the authentication with another packet", errNotZooKeeper)
	}
	switch code := number(packet[12:]); code {
	case 0:
	case codeAuthFailed:
		return nil, ErrAuthFailed
	case codeAuthRequired:
		return nil, ErrAuthRequired
	default:
		return nil, fmt.Errorf("the server answers with error %d", code)
	}
	body := packet[replyHeader:]
	if _, err := skip(body, string(data)); err != nil {
		return nil, err
	}
	if number(body) <= 0 {
		return nil, nil //nolint:nilnil // an empty message
	}
	return body[4 : 4+number(body)], nil
}
