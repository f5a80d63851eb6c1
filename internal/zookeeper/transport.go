package zookeeper

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"
)

// transport dials for one session. It gives what the client library lacks: an
// end to a handshake that hangs (the library waits ten times the receive
// timeout), the negotiated timeout, the cause of a failure, no second session
// under the same handle, and connections that are really closed.
type transport struct {
	attempt time.Duration // to dial one server, and again for its handshake
	tls     *tls.Config   // nil for plain text
	watches watches
	belief  belief
	ctx     context.Context
	stop    context.CancelFunc // refuses every further connection

	mu      sync.Mutex
	conn    net.Conn
	timeout time.Duration  // negotiated, 0 before there is a session
	session int64          // its id, 0 before there is one
	server  string         // being tried
	turns   map[string]int // how often each server was tried
	stage   error          // what the attempt is at
	lastErr error          // what ended an earlier one
}

func newTransport(attempt time.Duration) *transport {
	ctx, stop := context.WithCancel(context.Background())
	return &transport{attempt: attempt, ctx: ctx, stop: stop, turns: make(map[string]int)}
}

// open registers conn as the present connection; the library forgets to close
// the one before when its session has expired.
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

// turn counts the attempts to connect to a server.
func (t *transport) turn(server string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	turn := t.turns[server]
	t.turns[server]++
	return turn
}

// reach says what the attempt is at.
func (t *transport) reach(stage error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stage = fmt.Errorf("%s: %w", t.server, stage)
}

// note keeps why an attempt failed.
func (t *transport) note(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ctx.Err() == nil {
		t.lastErr = fmt.Errorf("%s: %w", t.server, err)
	}
}

// cause is why the last attempt that failed did, or else what the first one is
// still at: whoever waits may lose patience before it ends.
func (t *transport) cause() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lastErr == nil {
		return t.stage
	}
	return t.lastErr
}

func (t *transport) negotiated() (session int64, timeout time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.session, t.timeout
}

// answer takes the server's answer to the connect request: four bytes of protocol
// version, four of the timeout in milliseconds, eight of the session id and more
// (ConnectResponse in zookeeper.jute). A session id of zero says that the session
// has expired.
func (t *transport) answer(packet []byte) error {
	if len(packet) < 16 {
		return errNotZooKeeper
	}
	timeout := time.Duration(binary.BigEndian.Uint32(packet[4:])) * time.Millisecond
	session := int64(binary.BigEndian.Uint64(packet[8:])) //nolint:gosec // the wire format is a signed 64-bit number
	if session == 0 {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.session == 0 {
		// A quorum has agreed to the session's creation.
		t.belief.answered(t.belief.basis(Now(), timeout), timeout)
	}
	t.session, t.timeout = session, timeout
	return nil
}

// failedToDial begins what the library logs when dial has returned an error.
const failedToDial = "failed to connect"

// Printf takes the library's log, which is where it tells why a handshake
// failed. What dial has returned is noted already, and a closed connection is
// what our own timer leaves, not a cause.
func (t *transport) Printf(format string, args ...any) {
	if strings.HasPrefix(format, failedToDial) {
		return
	}
	for _, arg := range args {
		if err, ok := arg.(error); ok && !errors.Is(err, net.ErrClosed) {
			t.note(err)
		}
	}
}

// servers is the library's host provider over names that are resolved again at
// every dial, so that an address that changed is found.
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

// Next says which server to try; the library rests for a second when
// retryStart says that all have been tried in vain.
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
