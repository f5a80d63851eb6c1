package zookeeper

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"
)

// errNotZooKeeper says that something else listens at the address.
var errNotZooKeeper = errors.New("what answers there is not ZooKeeper")

// Reasons why a connection ends.
var (
	errSilent = errors.New("the server stopped answering")
	errHungUp = errors.New("the server closed the connection")
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

// ended says in words how a connection ended.
func ended(err error) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%w: %w", errSilent, err)
	case closed(err):
		return fmt.Errorf("%w: %w", errHungUp, err)
	}
	return err
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

// watches are the paths that may have a watch in the client library. The event that
// ends the watches of a path can overtake the request for the next watch, so a path
// stays here while such a request has no answer.
type watches struct {
	mu    sync.Mutex
	paths map[string]*watched
}

type watched struct {
	asking int  // requests without an answer yet
	set    bool // by an earlier one
}

// begin is called before a watch is asked for.
func (w *watches) begin(path string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.paths == nil {
		w.paths = make(map[string]*watched)
	}
	if w.paths[path] == nil {
		w.paths[path] = &watched{}
	}
	w.paths[path].asking++
}

// end is called when the request is answered. set says that the watch was set. If its
// event came first, it counts as set until another event or the connection's end, which
// does no harm.
func (w *watches) end(path string, set bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	watch := w.paths[path]
	watch.asking--
	watch.set = watch.set || set
	w.forget(path)
}

// forget drops a path that nobody watches.
func (w *watches) forget(path string) {
	if watch := w.paths[path]; watch.asking == 0 && !watch.set {
		delete(w.paths, path)
	}
}

// see looks for an event in a packet (WatcherEvent in zookeeper.jute): it ends all
// watches of its znode.
func (w *watches) see(packet []byte) {
	const path0 = replyHeader + 12 // behind the event's kind and state and the path's length
	if len(packet) < path0 || number(packet) != xidEvent {
		return
	}
	path, event := packet[path0:], zk.EventType(number(packet[replyHeader:]))
	if int(number(packet[path0-4:])) != len(path) || event == zk.EventNodeChildrenChanged {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if watch := w.paths[string(path)]; watch != nil {
		watch.set = false
		w.forget(string(path))
	}
}

// lastEvents are packets that end all watches: they say that the watched znodes were
// deleted.
func (w *watches) lastEvents() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	var packets []byte
	for path, watch := range w.paths {
		event := withNumber(nil, xidEvent)
		event = append(event, make([]byte, 12)...) // zxid and error
		event = binary.BigEndian.AppendUint32(event, uint32(zk.EventNodeDeleted))
		event = binary.BigEndian.AppendUint32(event, uint32(zk.StateSyncConnected))
		event = append(withNumber(event, len(path)), path...)
		packets = append(withNumber(packets, len(event)), event...)
		watch.set = false
		w.forget(path)
	}
	return packets
}

// withNumber appends a number of four bytes, such as a length.
func withNumber(b []byte, n int) []byte {
	return binary.BigEndian.AppendUint32(b, uint32(n)) //nolint:gosec // the wire format is a signed number
}
