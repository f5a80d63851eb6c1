package zookeeper

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// sort is what the answer to a request proves.
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

// repeated sends a request, which does no harm when it is carried out twice, until it
// is answered, the session is over or ctx ends.
func repeated[T any](ctx context.Context, s *Session, sort sort, op, path string, request func() (T, error)) (T, error) {
	var last error
	for {
		value, err := once(ctx, s, sort, op, path, request)
		if err == nil || Answered(err) || s.Err() != nil {
			return value, err
		}
		if ctx.Err() != nil {
			if cause := context.Cause(ctx); !errors.Is(err, cause) {
				// It came between the answer and the next request.
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

// once sends a request and takes its answer. The server's word that it has not carried
// it out, and that it should be sent again, is no answer.
func once[T any](ctx context.Context, s *Session, sort sort, op, path string, request func() (T, error)) (T, error) {
	for {
		timeout := s.Timeout()
		basis := s.transport.belief.basis(Now(), timeout)
		value, err := call(ctx, s, op, path, request)
		switch {
		case err == nil || Answered(err):
			s.unknown.Store(0)
			if sort == write && !errors.Is(err, ErrAuthRequired) { // which a server says by itself
				s.transport.belief.answered(basis, timeout)
			}
			return value, err
		case errors.Is(err, ErrThrottled):
			s.pause(ctx)
		default:
			if !Disconnected(err) && ctx.Err() == nil && s.Err() == nil {
				s.pause(ctx) // whoever asked may ask again
			}
			return value, err
		}
	}
}

// pause waits after an answer that says nothing, longer after each that follows. It
// does not wait for a session that is over.
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

// call runs one request of the library, which takes no context, and gives up
// waiting for its answer when ctx or the session ends. The result comes along
// with a refusal, and is zero when there was no answer.
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
			// Said in an answer, on a connection that still stands.
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
