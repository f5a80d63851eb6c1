package zookeeper

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"
)

// errHandshake is the cause when a server takes the connection and then says
// nothing, as a stopped server does.
var errHandshake = errors.New("the server accepted the connection but did not answer")

// transport dials for one session. It gives what the client library lacks: an
// end to a handshake that hangs (the library waits ten times the receive
// timeout), the negotiated timeout, the cause of a failure, no second session
// under the same handle, and connections that are really closed.
type transport struct {
	attempt time.Duration // for one dial, and again for its handshake
	tls     *tls.Config   // nil for plain text
	watches watches
	ctx     context.Context
	stop    context.CancelFunc // refuses every further connection

	mu      sync.Mutex
	conn    net.Conn
	timeout time.Duration // negotiated, 0 before there is a session
	session int64         // its id, 0 before there is one
	lastErr error
}

func newTransport(attempt time.Duration) *transport {
	ctx, stop := context.WithCancel(context.Background())
	return &transport{attempt: attempt, ctx: ctx, stop: stop}
}

func (t *transport) dial(network, address string, _ time.Duration) (net.Conn, error) {
	dialer := net.Dialer{Timeout: t.attempt}
	raw, err := dialer.DialContext(t.ctx, network, address)
	if err != nil {
		t.note(err)
		return nil, err
	}
	// The cause until there is an answer or a better one: whoever waits may lose
	// patience before the timer does.
	t.note(fmt.Errorf("%s: %w", address, errHandshake))
	c := &packetConn{Conn: secure(raw, t.tls, address), transport: t}
	c.timer = time.AfterFunc(t.attempt, func() { _ = raw.Close() })
	if err := t.open(raw); err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
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

func (t *transport) note(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ctx.Err() == nil {
		t.lastErr = err
	}
}

func (t *transport) cause() error {
	t.mu.Lock()
	defer t.mu.Unlock()
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
	t.session, t.timeout = session, timeout
	return nil
}

// Printf takes the library's log, which is where it tells why a handshake
// failed. A closed connection is what our own timer leaves, not a cause.
func (t *transport) Printf(_ string, args ...any) {
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
