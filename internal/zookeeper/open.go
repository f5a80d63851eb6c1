// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
)

// Open waits for a session with any of the servers, at most
// cfg.ConnectTimeout. It returns a [*ConnectError] when there is none, and the
// context's error when ctx ends first.
func Open(ctx context.Context, cfg Config) (*Session, error) {
	return openLogged(ctx, cfg, nil)
}

func openLogged(ctx context.Context, cfg Config, log *slog.Logger) (*Session, error) {
	bounded, cancel := context.WithTimeout(ctx, cfg.ConnectTimeout)
	defer cancel()
	bounded, refuse := context.WithCancelCause(bounded)
	defer refuse(nil)
	if cfg.Kerberos != nil && cfg.tickets == nil {
		cfg.tickets = cfg.Kerberos.tickets()
	}
	s, err := start(cfg, log, refuse)
	if err != nil {
		return nil, &ConnectError{Servers: cfg.Servers, Cause: err}
	}
	if err := s.Ready(bounded); err != nil {
		cause := s.transport.cause()
		_ = s.Close()
		if ctx.Err() != nil {
			return nil, fmt.Errorf("zookeeper: connect: %w", context.Cause(ctx))
		}
		if errors.Is(err, context.DeadlineExceeded) {
			if cause != nil {
				err = cause
			}
			err = fmt.Errorf("after %v: %w", cfg.ConnectTimeout, err)
		}
		return nil, &ConnectError{Servers: cfg.Servers, Cause: err, Hint: hint(err, cfg.TLS)}
	}
	s.gatherTickets(cfg) //nolint:contextcheck // it outlives the opening
	return s, nil
}
