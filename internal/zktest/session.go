// SPDX-License-Identifier: MPL-2.0

package zktest

import (
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"
)

// session is a go-zookeeper connection that can be closed for good: after close
// no goroutine and no socket of it is left.
type session struct {
	conn   *zk.Conn
	events <-chan zk.Event // closed by the client once its loop has ended

	mu      sync.Mutex
	sockets []net.Conn
}

func dialSession(addrs []string, timeout time.Duration) (*session, error) {
	s := &session{}
	dial := func(network, address string, timeout time.Duration) (net.Conn, error) {
		conn, err := net.DialTimeout(network, address, timeout)
		if err != nil {
			return nil, err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.sockets = append(s.sockets, conn)
		return &impatient{Conn: conn}, nil
	}
	conn, events, err := zk.Connect(addrs, timeout, zk.WithDialer(dial), zk.WithLogger(silent{}), zk.WithLogInfo(false))
	if err != nil {
		return nil, fmt.Errorf("connect to %v: %w", addrs, err)
	}
	s.conn, s.events = conn, events
	return s, nil
}

// close ends the session on the server if that answers, and returns once the
// client's goroutines have ended.
func (s *session) close() {
	s.conn.Close()
	// The client may be in a handshake with a server that does not answer: end its
	// sockets after a moment.
	stop := time.AfterFunc(time.Second, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, socket := range s.sockets {
			_ = socket.Close()
		}
	})
	defer stop.Stop()
	for range s.events {
		// Nobody wants them any more; the end of them is what we wait for.
	}
}

// impatient is a connection whose handshake fails after a while without an answer.
// The client would wait for ten times as long as for all else, and a server that
// is just starting may accept a connection and then forget it.
type impatient struct {
	net.Conn
	handshaken bool
}

// SetReadDeadline is called for the handshake first.
func (c *impatient) SetReadDeadline(deadline time.Time) error {
	const handshakeTimeout = 3 * time.Second
	if latest := time.Now().Add(handshakeTimeout); !c.handshaken && deadline.After(latest) {
		deadline = latest
	}
	c.handshaken = true
	return c.Conn.SetReadDeadline(deadline)
}

// silent drops what the client logs: what matters reaches a test as an error.
type silent struct{}

func (silent) Printf(string, ...any) {}
