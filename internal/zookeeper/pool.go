// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zookeeper/kerberos"
)

// Pool shares one session among callers with the same configuration. The zero value is
// ready for use, and its methods are safe for concurrent use.
type Pool struct {
	// Log, if not nil, gets a line when a session connects, loses its connection, or
	// expires. It is set before the first use.
	Log *slog.Logger

	mu       sync.Mutex
	closed   bool
	sessions map[poolKey]*pooled
	retired  []*pooled // that are still in use
	tickets  map[Kerberos]*kerberos.Tickets
	closing  sync.WaitGroup
}

// poolKey is the part of a configuration in which sessions differ.
type poolKey struct {
	servers                        string
	sessionTimeout, connectTimeout time.Duration
	auth                           Digest
	sasl                           SASLUser
	byKerberos                     bool
	kerberos                       Kerberos
	encrypted                      bool
	tls                            TLS
	creator                        bool
}

func keyOf(cfg Config) poolKey {
	key := poolKey{
		servers:        strings.Join(slices.Sorted(slices.Values(cfg.Servers)), ","), // tried in any order
		sessionTimeout: cfg.SessionTimeout,
		connectTimeout: cfg.ConnectTimeout,
		auth:           cfg.Auth,
		sasl:           cfg.SASL,
		byKerberos:     cfg.Kerberos != nil,
		encrypted:      cfg.TLS != nil,
		creator:        cfg.Creator,
	}
	if cfg.TLS != nil {
		key.tls = *cfg.TLS
	}
	if cfg.Kerberos != nil {
		key.kerberos = *cfg.Kerberos
	}
	return key
}

type pooled struct {
	opened  chan struct{}
	cancel  context.CancelFunc
	session *Session
	err     error
}

// Session returns the session for cfg. It opens one if there is none, or the last one was
// lost. Callers that come meanwhile wait for the same session. After a failure the next
// call tries again.
func (p *Pool) Session(ctx context.Context, cfg Config) (*Session, error) {
	entry, err := p.entry(cfg) //nolint:contextcheck // others may wait for the same session
	if err != nil {
		return nil, err
	}
	select {
	case <-entry.opened:
		return entry.session, entry.err
	case <-ctx.Done():
		return nil, fmt.Errorf("zookeeper: connect: %w", context.Cause(ctx))
	}
}

func (p *Pool) entry(cfg Config) (*pooled, error) {
	key := keyOf(cfg)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrClosed
	}
	entry, ok := p.sessions[key]
	if ok && !entry.useless() {
		return entry, nil
	}
	if ok && entry.living() {
		p.retired = append(p.retired, entry)
	} else if ok {
		p.closing.Go(entry.close)
	}
	// Detached from the caller's context: others may wait for this session.
	ctx, cancel := context.WithCancel(context.Background())
	fresh := &pooled{opened: make(chan struct{}), cancel: cancel}
	if p.sessions == nil {
		p.sessions = make(map[poolKey]*pooled)
	}
	p.sessions[key] = fresh
	if cfg.Kerberos != nil {
		cfg.tickets = p.ticketsOf(*cfg.Kerberos)
	}
	go func() {
		defer close(fresh.opened)
		fresh.session, fresh.err = openLogged(ctx, cfg, p.Log)
	}()
	return fresh, nil
}

// ticketsOf are the tickets of a Kerberos user. They outlive a session, because the next
// one may begin while no KDC answers.
func (p *Pool) ticketsOf(user Kerberos) *kerberos.Tickets {
	if p.tickets == nil {
		p.tickets = make(map[Kerberos]*kerberos.Tickets)
	}
	if p.tickets[user] == nil {
		p.tickets[user] = user.tickets()
	}
	return p.tickets[user]
}

// useless returns whether the session could not be opened, has ended, or is to be closed.
func (e *pooled) useless() bool {
	select {
	case <-e.opened:
		return !e.living() || e.session.isRetired()
	default:
		return false
	}
}

// living returns whether the session was opened and has not ended.
func (e *pooled) living() bool { return e.err == nil && e.session.Err() == nil }

func (e *pooled) close() {
	e.cancel()
	<-e.opened
	if e.session != nil {
		_ = e.session.Close()
	}
}

// Close closes all sessions, side by side, and waits for them. The pool opens
// no more.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	entries := slices.AppendSeq(p.retired, maps.Values(p.sessions))
	p.sessions, p.retired = nil, nil
	p.mu.Unlock()
	for _, entry := range entries {
		p.closing.Go(entry.close)
	}
	p.closing.Wait()
}
