// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// sort says what the answer to a request proves.
type sort int

const (
	// read is answered by the connected server alone.
	read sort = iota
	// write is answered, also by a refusal, once a quorum has agreed.
	write
)

const (
	firstPause = 10 * time.Millisecond
	maxPause   = time.Second
)

// repeated sends a request until it is answered, the session is over or ctx ends. To
// carry out the request twice does no harm.
func repeated[T any](ctx context.Context, s *Session, sort sort, op, path string, request func() (T, error)) (T, error) {
	var last error
	for {
		value, err := once(ctx, s, sort, op, path, request)
		if err == nil || Answered(err) || s.Err() != nil {
			return value, err
		}
		if ctx.Err() != nil {
			if cause := context.Cause(ctx); !errors.Is(err, cause) {
				// ctx ended between the answer and the next request.
				last, err = err, fmt.Errorf("zookeeper: %s %s: %w", op, Shown(path), cause)
			}
			if last != nil {
				err = fmt.Errorf("%w (last error: %w)", err, last)
			}
			return value, err
		}
		last = err
	}
}

// once sends a request and returns its answer. It sends the request again if the server
// was too busy to carry it out.
func once[T any](ctx context.Context, s *Session, sort sort, op, path string, request func() (T, error)) (T, error) {
	for {
		timeout := s.Timeout()
		basis := s.transport.lease.basis(Now(), timeout)
		value, err := call(ctx, s, op, path, request)
		switch {
		case err == nil || Answered(err):
			s.unknown.Store(0)
			if sort == write && !errors.Is(err, ErrAuthRequired) { // a server says that without a quorum
				s.transport.lease.answered(basis, timeout)
			}
			return value, err
		case errors.Is(err, ErrThrottled):
			s.pause(ctx)
		default:
			if !Disconnected(err) && ctx.Err() == nil && s.Err() == nil {
				s.pause(ctx) // the caller may ask again
			}
			return value, err
		}
	}
}

// pause waits after an answer that does not say whether the request was carried out. It
// waits longer after each such answer in a row, and not for a session that is over.
func (s *Session) pause(ctx context.Context) {
	n := s.unknown.Add(1)
	pause := min(firstPause<<min(n-1, 10), maxPause, max(firstPause, s.Timeout()/8))
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-s.Lost():
	}
}

// call sends one request and waits for its answer until ctx or the session ends: the
// library's requests take no context (go-zookeeper/zk issue 12, open). The value is zero
// if there was no answer; it can come with a refusal.
func call[T any](ctx context.Context, s *Session, op, path string, request func() (T, error)) (T, error) {
	var none T
	if err := s.Ready(ctx); err != nil {
		return none, fmt.Errorf("zookeeper: %s %s: %w", op, Shown(path), err)
	}
	type answer struct {
		value T
		err   error
	}
	done := make(chan answer, 1)
	go func() {
		value, err := request()
		done <- answer{value, named(err)}
	}()
	var a answer
	select {
	case a = <-done:
	case <-ctx.Done():
		a.err = context.Cause(ctx)
	case <-s.Lost():
		a.err = s.Err()
	}
	if a.err != nil && !Answered(a.err) {
		if errors.Is(a.err, ErrSessionExpired) {
			// An answer says so while the connection stands.
			s.expire(s.howExpired())
		}
		a.value = none
		if err := s.Err(); err != nil && !errors.Is(a.err, err) {
			a.err = fmt.Errorf("%w (%w)", err, a.err)
		}
	}
	if a.err != nil {
		a.err = fmt.Errorf("zookeeper: %s %s: %w", op, Shown(path), a.err)
	}
	return a.value, a.err
}
