// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"
)

const (
	maxHandshake = 64 << 10 // bytes of an answer before the first request
	maxPacket    = 64 << 20
)

// packetConn gives whole packets to the client library: a length and as many bytes. It
// reads the session from the first packet, and authenticates before it passes that
// packet on. When the connection breaks it adds packets that end all watches.
//
// Without them the library sets its watches again on the next connection. It then reads
// the last zxid while the first answers change it: a data race (go-zookeeper/zk pull
// request 35, open). It also misses a znode that was deleted and created again meanwhile
// (see also issue 83, open). A caller with a watch has to look again after a break anyway.
type packetConn struct {
	net.Conn
	transport    *transport
	authenticate authenticator // nil for a client without a user
	incoming     *bufio.Reader // of Conn
	shaken       func()        // ends the time limit of the handshake
	greeted      bool
	proved       bool
	buffer       []byte
	unread       []byte
	err          error // why the connection broke, behind what is unread

	mu       sync.Mutex
	writeErr error // why the first write failed
	asked    checker
}

func (c *packetConn) Read(p []byte) (int, error) {
	if len(c.unread) == 0 && c.err == nil {
		c.unread, c.err = c.next()
	}
	if len(c.unread) == 0 {
		return 0, c.err
	}
	n := copy(p, c.unread)
	c.unread = c.unread[n:]
	return n, nil
}

// Write never fails: it closes a connection that does not take a packet, and Read
// returns why. The library would answer a request that it could not write twice, and
// hang at the second answer (go-zookeeper/zk pull request 163, open).
func (c *packetConn) Write(p []byte) (int, error) {
	_, timeout := c.transport.negotiated()
	c.transport.lease.note(Now(), timeout)
	if c.greeted {
		c.mu.Lock()
		c.asked.sent(p)
		c.mu.Unlock()
	}
	if _, err := c.Conn.Write(p); err != nil {
		c.mu.Lock()
		if c.writeErr == nil {
			c.writeErr = err
		}
		c.mu.Unlock()
		_ = c.Conn.Close()
	}
	return len(p), nil
}

// next returns the bytes of the next packet, or the error by which there is none.
func (c *packetConn) next() ([]byte, error) {
	if !c.greeted {
		response, err := c.greet()
		if err != nil {
			c.transport.fail(err)
		}
		return response, err
	}
	err := c.fill(maxPacket)
	if err == nil {
		c.mu.Lock()
		err = c.asked.check(c.buffer[4:])
		c.mu.Unlock()
	}
	if err != nil {
		c.transport.broke(err)
		return c.transport.watches.lastEvents(), err
	}
	if !c.proved {
		c.proved = true
		c.transport.prove()
	}
	c.transport.watches.see(c.buffer[4:])
	return c.buffer, nil
}

// greet reads the server's answer to the request to connect, and authenticates if it
// has accepted the session.
func (c *packetConn) greet() ([]byte, error) {
	if err := c.fill(maxHandshake); err != nil {
		return nil, err
	}
	response := slices.Clone(c.buffer)
	session, timeout, err := parseConnectResponse(response[4:])
	if err != nil {
		return nil, err
	}
	if session != 0 && c.authenticate != nil {
		if err := c.authenticate(c.exchange); err != nil {
			return nil, err
		}
	}
	c.greeted = true
	c.shaken()
	if session != 0 {
		c.transport.greet(session, timeout)
	}
	return response, nil
}

// exchange sends a packet and returns the next one from the server. It is used before
// the library sends requests.
func (c *packetConn) exchange(packet []byte) ([]byte, error) {
	if _, err := c.Conn.Write(append(withNumber(nil, len(packet)), packet...)); err != nil {
		return nil, ended(err)
	}
	if err := c.fill(maxHandshake); err != nil {
		return nil, err
	}
	return slices.Clone(c.buffer[4:]), nil
}

// fill reads the next packet into the buffer.
func (c *packetConn) fill(limit uint32) error {
	c.buffer = append(c.buffer[:0], 0, 0, 0, 0)
	if _, err := io.ReadFull(c.incoming, c.buffer); err != nil {
		return c.why(err)
	}
	length := binary.BigEndian.Uint32(c.buffer)
	if length > limit {
		return fmt.Errorf("%w: an answer of %d bytes", errNotZooKeeper, length)
	}
	c.buffer = slices.Grow(c.buffer, int(length))[:4+length]
	_, err := io.ReadFull(c.incoming, c.buffer[4:])
	return c.why(err)
}

// why returns the cause of a failed read: an earlier failed write, if there is one.
func (c *packetConn) why(err error) error {
	if err == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.writeErr != nil {
		err = c.writeErr
	}
	return ended(err)
}

func (c *packetConn) Close() error {
	c.shaken()
	return c.Conn.Close()
}

// parseConnectResponse reads the server's answer to the request to connect: four
// bytes of protocol version, four of the timeout in milliseconds, eight of the
// session's id and more (ConnectResponse in zookeeper.jute). An id of zero says that
// the session has expired.
func parseConnectResponse(packet []byte) (session int64, timeout time.Duration, err error) {
	const whole = 4 + 4 + 8 + 4 + 16 // with the password and its length
	if len(packet) < whole || number(packet[16:]) != 16 {
		return 0, 0, errNotZooKeeper
	}
	timeout = time.Duration(number(packet[4:])) * time.Millisecond
	session = int64(binary.BigEndian.Uint64(packet[8:])) //nolint:gosec // the wire format is a signed number
	if session != 0 && (timeout < minGranted || timeout > maxGranted) {
		return 0, 0, fmt.Errorf("%w: it grants a session timeout of %v", errNotZooKeeper, timeout)
	}
	return session, timeout, nil
}
