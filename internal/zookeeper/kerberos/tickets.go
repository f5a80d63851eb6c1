// SPDX-License-Identifier: MPL-2.0

package kerberos

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/go-krb5/krb5/iana/errorcode"
	"github.com/go-krb5/krb5/iana/nametype"
	"github.com/go-krb5/krb5/messages"
	"github.com/go-krb5/krb5/types"
)

// Tickets are those of one user. They are kept as long as they are valid, so that a connection can be
// made again while no KDC answers. Its methods are safe for concurrent use.
type Tickets struct {
	user    User
	service Service

	mu      sync.Mutex
	kept    map[string]Ticket // by host
	doubted map[string]bool   // of those kept

	turn   chan struct{} // holds one token: who takes it may ask the KDCs, and use what follows
	tgt    *grant        // of keytab or password
	client principal     // once it is known
}

// maxRenewal is how long it is tried to have a new ticket while the old one is still valid.
const maxRenewal = 5 * time.Second

// Service says what ZooKeeper's servers are called.
type Service struct {
	Name      string // the first part of each server's principal, with its host as the second
	Principal string // or the whole, of all servers: service/host[@REALM]
}

// NewTickets returns the tickets of a user, none yet.
func NewTickets(user User, service Service) *Tickets {
	t := &Tickets{user: user, service: service, turn: make(chan struct{}, 1), kept: map[string]Ticket{}, doubted: map[string]bool{}}
	t.turn <- struct{}{}
	return t
}

// Get returns a ticket for a host. kept says that it is one of those that were there before. The error
// is an [*Error], or the context's.
func (t *Tickets) Get(ctx context.Context, host string) (ticket Ticket, kept bool, err error) {
	host = plain(host)
	old, valid, aging := t.look(host)
	if valid && !aging {
		return old, true, nil
	}
	if valid {
		// Some of the time is left to connect with the old one.
		limit := maxRenewal
		if deadline, ok := ctx.Deadline(); ok {
			limit = min(limit, time.Until(deadline)/2)
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	ticket, kept, err = t.renew(ctx, host)
	if err != nil && valid {
		return old, true, nil
	}
	return ticket, kept, err
}

// renew is Get for one who cannot do with a ticket that is there.
func (t *Tickets) renew(ctx context.Context, host string) (ticket Ticket, kept bool, err error) {
	select {
	case <-t.turn:
		defer func() { t.turn <- struct{}{} }()
	case <-ctx.Done():
		return Ticket{}, false, context.Cause(ctx)
	}
	if other, valid, aging := t.look(host); valid && !aging {
		return other, true, nil // another goroutine wanted the same
	}
	ticket, err = t.fetch(ctx, host)
	if err != nil {
		var known *Error
		if !errors.As(err, &known) && ctx.Err() == nil {
			err = &Error{Err: err}
		}
		return Ticket{}, false, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept[host] = ticket
	delete(t.doubted, host)
	return ticket, false, nil
}

// look finds a ticket that is there. In the last fifth of its life, and when a server did not take it, it is aging: it
// is better to have a new one, if that can be had.
func (t *Tickets) look(host string) (ticket Ticket, valid, aging bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	ticket, ok := t.kept[host]
	left := time.Until(ticket.End)
	return ticket, ok && left > 0, t.doubted[host] || left <= ticket.End.Sub(ticket.Start)/5
}

// Doubt has the next ticket for a host be a new one, if a KDC answers: the server did not take this one.
func (t *Tickets) Doubt(host string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.doubted[plain(host)] = true
}

// plain is a host's name as principals have it.
func plain(host string) string { return strings.ToLower(strings.TrimSuffix(host, ".")) }

// fetch gets a new ticket.
func (t *Tickets) fetch(ctx context.Context, host string) (Ticket, error) {
	conf, err := readConfiguration(t.user.Configuration)
	if err != nil {
		return Ticket{}, err
	}
	server, realm, err := t.server(conf, host)
	if err != nil {
		return Ticket{}, err
	}
	who, tgt, fresh, err := t.login(ctx, conf, false)
	if err != nil {
		return Ticket{}, err
	}
	got, err := ticketFor(ctx, conf, who, tgt, server, realm)
	if refused := (messages.KRBError{}); errors.As(err, &refused) && refused.ErrorCode != errorcode.KDC_ERR_S_PRINCIPAL_UNKNOWN && !fresh {
		// Such as after the KDC's own key was changed.
		if who, tgt, _, err = t.login(ctx, conf, true); err != nil {
			return Ticket{}, err
		}
		got, err = ticketFor(ctx, conf, who, tgt, server, realm)
	}
	if unknownServer(err) && conf.canonicalize && t.service.Principal == "" {
		if canonical := canonicalName(ctx, host); canonical != "" && canonical != host {
			alias := types.PrincipalName{NameType: nametype.KRB_NT_SRV_HST, NameString: []string{t.service.Name, canonical}}
			if again, failed := ticketFor(ctx, conf, who, tgt, alias, conf.realmOf(canonical)); failed == nil {
				got, server, err = again, alias, nil
			}
		}
	}
	if err != nil {
		return Ticket{}, explainTicket(err, server, realm, who)
	}
	return Ticket{
		Client: who.name, Realm: who.realm, Server: server.PrincipalNameString() + "@" + got.ticket.Realm,
		Ticket: got.ticket, Key: got.key, Start: got.start, End: got.end,
	}, nil
}

// server is the principal of a ZooKeeper server, and its realm if anything says so.
func (t *Tickets) server(conf *configuration, host string) (types.PrincipalName, string, error) {
	if t.service.Principal != "" {
		name, realm, err := splitPrincipal(t.service.Principal)
		if err != nil {
			return name, "", permanent("Set server_principal in the kerberos block to service/host@REALM.", "the server_principal %q is not valid: %w", t.service.Principal, err)
		}
		name.NameType = nametype.KRB_NT_SRV_HST
		return name, realm, nil
	}
	if net.ParseIP(host) != nil {
		return types.PrincipalName{}, "", permanent(AdviceAddress, "ZooKeeper's server %s is named by its address, which no Kerberos principal has", host)
	}
	return types.PrincipalName{NameType: nametype.KRB_NT_SRV_HST, NameString: []string{t.service.Name, host}}, conf.realmOf(host), nil
}

// AdviceAddress is what to do about addresses in the connect string.
const AdviceAddress = "Name the servers by the hosts of their principals in the connect string, or set server_principal in the kerberos block to the principal that all of them have."

// login returns who we are and the ticket that gets others. fresh says that it was not there before.
func (t *Tickets) login(ctx context.Context, conf *configuration, anew bool) (who principal, tgt *grant, fresh bool, err error) {
	if t.user.Cache != "" {
		who, tgt, err = t.fromCache(conf)
		return who, tgt, true, err
	}
	now := time.Now()
	if !anew && t.tgt != nil && t.tgt.end.Sub(now) > t.tgt.end.Sub(t.tgt.start)/5 {
		return t.client, t.tgt, false, nil
	}
	who, s, err := t.user.secret(conf)
	if err != nil {
		return who, nil, true, err
	}
	if tgt, err = login(ctx, conf, who, s); err != nil {
		return who, nil, true, err
	}
	t.client, t.tgt = who, tgt
	return who, tgt, true, nil
}

func unknownServer(err error) bool {
	var refused messages.KRBError
	return errors.As(err, &refused) && refused.ErrorCode == errorcode.KDC_ERR_S_PRINCIPAL_UNKNOWN
}

// canonicalName is the name that DNS has for a host, such as the long one for a short one.
func canonicalName(ctx context.Context, host string) string {
	name, err := net.DefaultResolver.LookupCNAME(ctx, host)
	if err != nil {
		return ""
	}
	return strings.ToLower(strings.TrimSuffix(name, "."))
}

// explainTicket says what a KDC's refusal of a ticket means.
func explainTicket(err error, server types.PrincipalName, realm string, who principal) error {
	var refused messages.KRBError
	if !errors.As(err, &refused) {
		return err
	}
	name := server.PrincipalNameString()
	if realm != "" {
		name += "@" + realm
	}
	switch refused.ErrorCode {
	case errorcode.KDC_ERR_S_PRINCIPAL_UNKNOWN:
		err := permanent("The connect string has to name the servers as their principals do. Or set service_name or server_principal in the kerberos block, "+
			"or the realm of the host in [domain_realm] of krb5.conf.", "the KDC does not know ZooKeeper's server %s", name)
		err.OfServer = true
		return err
	case errorcode.KDC_ERR_ETYPE_NOSUPP:
		err := permanent("Have the KDC make keys of an AES type for the server, and export the server's keytab again. RC4 and DES are not used.",
			"the KDC has no key of ZooKeeper's server %s of the encryption types that are asked for", name)
		err.OfServer = true
		return err
	case errorcode.KRB_AP_ERR_SKEW:
		return skewed(refused.STime)
	case errorcode.KRB_AP_ERR_TKT_EXPIRED:
		return &Error{Err: fmt.Errorf("the ticket of %s has expired", who), Advice: "Log in again with kinit, and compare the clocks of this machine and the KDC."}
	}
	return &Error{Err: fmt.Errorf("the KDC refuses %s a ticket for %s: %s", who, name, text(refused))}
}
