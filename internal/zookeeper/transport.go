// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/clocker/terraform-provider-clocker/internal/zookeeper/kerberos"
)

// transport makes the connections of one session. It gives what the client library
// lacks, in go-zookeeper/zk v1.0.4:
//   - an end to a handshake that hangs: the library waits ten times the receive timeout
//     (see issue 79, open);
//   - no second session: the library opens one when the first has expired (issue 159, open),
//     and does not close the connection of the first (loop in conn.go);
//   - authentication on each connection: see authenticator;
//   - the negotiated timeout, and the cause of a failure.
type transport struct {
	attempt    time.Duration // for the whole of one attempt to connect
	tls        *TLS          // nil for plain text
	identify   identify
	told       told
	sleep      func(context.Context, time.Duration)
	watches    watches
	lease      lease
	ctx        context.Context
	stop       context.CancelFunc // refuses every further connection
	background sync.WaitGroup     // what goes on beside the connection

	mu       sync.Mutex
	conn     net.Conn
	timeout  time.Duration  // negotiated, 0 before there is a session
	session  int64          // its id, 0 before there is one
	server   string         // being tried
	turns    map[string]int // how often each server was tried
	stage    error          // what the attempt is at
	lastErr  error          // why the connection broke, or the latest attempt failed; nil while it stands
	clear    error          // why the latest attempt failed that failed for a cause, not for want of time
	lastTLS  *tls.Config    // as the files were when they could last be used
	stale    error          // why they cannot be used now; nil if they can
	failures int            // attempts that failed since a connection was last of use
	mistakes *mistakes      // before there is a session
	breaks   int            // connections that broke since one was last of use
}

// told are functions that are called when something happens. They must not block.
type told struct {
	refused func(error)                 // no further attempt can mend this
	failed  func(attempts int, _ error) // an attempt failed
	useful  func(server string)         // a connection has proved to be of use
}

func newTransport(attempt time.Duration, servers ...string) *transport {
	ctx, stop := context.WithCancel(context.Background())
	return &transport{
		attempt: attempt, ctx: ctx, stop: stop, sleep: sleep, turns: make(map[string]int), mistakes: newMistakes(servers),
		told:     told{refused: func(error) {}, failed: func(int, error) {}, useful: func(string) {}},
		identify: func(context.Context, string) (authenticator, error) { return nil, nil }, //nolint:nilnil // we are nobody
	}
}

// open makes conn the present connection, and closes the one before.
func (t *transport) open(conn net.Conn) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ctx.Err() != nil {
		return ErrClosed
	}
	if t.conn != nil {
		_ = t.conn.Close()
	}
	t.conn = conn
	return nil
}

// hangUp closes the present connection, which ends the library's loops.
func (t *transport) hangUp() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.conn != nil {
		_ = t.conn.Close()
	}
}

// begin starts an attempt to connect.
func (t *transport) begin(server string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.server = server
}

// turn counts the attempts to connect to a server. addresses is how many it has now.
func (t *transport) turn(server string, addresses int) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mistakes.resolved(server, addresses)
	turn := t.turns[server]
	t.turns[server]++
	return turn
}

// reach notes which stage the attempt has reached.
func (t *transport) reach(stage error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stage = fmt.Errorf("%s: %w", t.server, stage)
}

// fail notes why an attempt failed. A connection that we closed is not a failure.
func (t *transport) fail(err error) {
	t.mu.Lock()
	if t.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
		t.mu.Unlock()
		return
	}
	hopeless := permanent(err) || t.session == 0 && t.mistakes.unanimous(t.server, err, t.tls)
	err = fmt.Errorf("%s: %w", t.server, err)
	if t.stale != nil {
		err = fmt.Errorf("%w (tried with the TLS files as they were before, because of %w)", err, t.stale)
	}
	t.lastErr = err
	if !late(err) {
		t.clear = err
	}
	t.failures++
	failures := t.failures
	t.mu.Unlock()
	if hopeless {
		t.told.refused(err)
	}
	t.told.failed(failures, err)
}

// tlsConfig reads the files that the TLS settings name; nil for plain text. A file that
// is missing, half written, or does not match the others may be right in a moment: until
// then connections are made with the files as they were before.
func (t *transport) tlsConfig() (*tls.Config, error) {
	if t.tls == nil {
		return nil, nil //nolint:nilnil // plain text needs none
	}
	config, err := t.tls.Config()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stale = nil; err == nil {
		t.lastTLS = config
	} else if t.lastTLS != nil {
		t.stale = err
	} else {
		return nil, err
	}
	return t.lastTLS.Clone(), nil
}

// permanent returns whether the next attempt would fail by the same error.
func permanent(err error) bool {
	var (
		part    *TLSError
		refused *refusedError
		ticket  *kerberos.Error
		again   transient
	)
	switch {
	case errors.As(err, &again):
		return false
	case errors.As(err, &ticket):
		return ticket.Permanent
	case errors.As(err, &part):
		return !part.File
	}
	return errors.Is(err, ErrAuthFailed) || errors.As(err, &refused)
}

// greet takes note of a connection that the server has accepted.
func (t *transport) greet(session int64, timeout time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.session == 0 {
		// A quorum has agreed to the session's creation.
		t.lease.answered(t.lease.basis(Now(), timeout), timeout)
	}
	t.session, t.timeout = session, timeout
	t.lastErr = nil
}

// prove takes note of a connection on which the server has answered a request.
func (t *transport) prove() {
	t.mu.Lock()
	t.failures, t.breaks = 0, 0
	server := t.server
	t.mu.Unlock()
	t.told.useful(server)
}

// broke takes note of the end of a connection that the server had accepted.
func (t *transport) broke(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.breaks++
	if t.ctx.Err() == nil && !errors.Is(err, net.ErrClosed) {
		t.lastErr = fmt.Errorf("%s: %w", t.server, err)
	}
}

// flapping returns whether connections break before the server answers a request.
func (t *transport) flapping() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.breaks > 1
}

// pause is how long to wait before the next attempt: not at all after a connection
// that was useful, then longer and longer, but never so long that the session could
// end meanwhile.
func (t *transport) pause() time.Duration {
	const first, doublings = 20 * time.Millisecond, 10
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.breaks < 2 {
		return 0
	}
	return min(first<<min(t.breaks-2, doublings), time.Second, t.timeout/10)
}

// sleep waits for d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// reason is why the connection broke, or why the latest attempt to connect failed. It is
// nil while there is a connection.
func (t *transport) reason() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.lastErr
}

// cause is [transport.reason], or else the stage of the first attempt, because the caller
// may give up before that attempt ends. If the latest attempt was only too slow, an earlier
// failure says more.
func (t *transport) cause() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.lastErr == nil:
		return t.stage
	case t.clear != nil && late(t.lastErr):
		return fmt.Errorf("%w; an attempt before that failed: %w", t.lastErr, t.clear)
	default:
		return t.lastErr
	}
}

func (t *transport) negotiated() (session int64, timeout time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.session, t.timeout
}

// Printf drops the library's log: packetConn notes all failures of a connection.
func (*transport) Printf(string, ...any) {}

// servers gives the names of the servers to the client library. dial resolves them each
// time, so that a changed address is found. The library's DNSHostProvider resolves names
// once (go-zookeeper/zk pull request 156, open).
type servers struct {
	mu     sync.Mutex
	list   []string
	next   int
	failed int // attempts since the last session
}

var _ zk.HostProvider = (*servers)(nil)

// Init takes the list, which the library has shuffled.
func (s *servers) Init(list []string) error {
	s.list = list
	return nil
}

// Len is the number of servers.
func (s *servers) Len() int { return len(s.list) }

// Next returns the server to try. retryStart says that all have failed: the library
// waits for a second then.
func (s *servers) Next() (server string, retryStart bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	server = s.list[s.next%len(s.list)]
	s.next++
	s.failed++
	if s.failed > len(s.list) {
		s.failed = 1
		return server, true
	}
	return server, false
}

// Connected starts the count of failures anew.
func (s *servers) Connected() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = 0
}
