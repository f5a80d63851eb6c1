package zookeeper

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"
)

// errNotZooKeeper is the cause when something else listens there.
var errNotZooKeeper = errors.New("what answers there is no ZooKeeper")

const (
	maxHandshake = 1024 // bytes of the answer to the connect request, which takes 37
	maxPacket    = 64 << 20
)

// packetConn hands whole packets to the client library, which are a length and as
// many bytes. It learns the session from the first one, and where the connection
// breaks it puts packets behind the last one that end all watches.
//
// The library would set its watches again on the next connection, and to do so
// reads the zxid that the first answers there already change: a data race. It
// would also miss a znode that was deleted and made again meanwhile. Whoever
// watches must look again after a break anyway.
type packetConn struct {
	net.Conn
	transport *transport
	incoming  *bufio.Reader // of Conn
	timer     *time.Timer   // of the handshake
	greeted   bool
	buffer    []byte
	unread    []byte
	err       error // why the connection broke, behind what is unread
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

func (c *packetConn) Write(packet []byte) (int, error) {
	_, timeout := c.transport.negotiated()
	c.transport.belief.note(Now(), timeout)
	return c.Conn.Write(packet)
}

func (c *packetConn) next() ([]byte, error) {
	if c.greeted {
		if err := c.fill(maxPacket); err != nil {
			return c.transport.watches.lastEvents(), err
		}
		c.transport.watches.see(c.buffer[4:])
		return c.buffer, nil
	}
	if err := c.fill(maxHandshake); err != nil {
		return nil, err
	}
	c.greeted = true
	c.timer.Stop()
	return c.buffer, c.transport.answer(c.buffer[4:])
}

// fill reads the next packet into the buffer.
func (c *packetConn) fill(limit uint32) error {
	c.buffer = append(c.buffer[:0], 0, 0, 0, 0)
	if _, err := io.ReadFull(c.incoming, c.buffer); err != nil {
		return err
	}
	length := binary.BigEndian.Uint32(c.buffer)
	if length > limit {
		return fmt.Errorf("%w: an answer of %d bytes", errNotZooKeeper, length)
	}
	c.buffer = slices.Grow(c.buffer, int(length))[:4+length]
	_, err := io.ReadFull(c.incoming, c.buffer[4:])
	return err
}

func (c *packetConn) Close() error {
	c.timer.Stop()
	return c.Conn.Close()
}

// watches are the paths that may have a watch in the client library. The event that
// ends the watches of a path can pass the request for the next one, so a path stays
// while one is being asked for.
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

// end is called once that is answered, with whether the watch was set. One whose
// event came first is taken for set until another event or the connection's end,
// which does no harm.
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

const notification = ^uint32(0) // the xid of a packet that nobody has asked for: -1

// see takes note of what the server tells (WatcherEvent in zookeeper.jute): an event
// of a znode ends all watches of it.
func (w *watches) see(packet []byte) {
	const header = 16 // xid, zxid and error
	if len(packet) < header+12 || binary.BigEndian.Uint32(packet) != notification {
		return
	}
	path, event := packet[header+12:], zk.EventType(binary.BigEndian.Uint32(packet[header:])) //nolint:gosec // a small number
	if uint64(binary.BigEndian.Uint32(packet[header+8:])) != uint64(len(path)) || event == zk.EventNodeChildrenChanged {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if watch := w.paths[string(path)]; watch != nil {
		watch.set = false
		w.forget(string(path))
	}
}

// lastEvents are the packets by which a server would end all watches: that the
// watched znodes were deleted.
func (w *watches) lastEvents() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	var packets []byte
	for path, watch := range w.paths {
		event := binary.BigEndian.AppendUint32(nil, notification)
		event = append(event, make([]byte, 12)...) // zxid and error
		event = binary.BigEndian.AppendUint32(event, uint32(zk.EventNodeDeleted))
		event = binary.BigEndian.AppendUint32(event, uint32(zk.StateSyncConnected))
		event = append(withLength(event, len(path)), path...)
		packets = append(withLength(packets, len(event)), event...)
		watch.set = false
		w.forget(path)
	}
	return packets
}

func withLength(b []byte, n int) []byte {
	return binary.BigEndian.AppendUint32(b, uint32(n)) //nolint:gosec // of a path, at most
}
