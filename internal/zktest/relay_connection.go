// SPDX-License-Identifier: MPL-2.0

package zktest

import (
	"encoding/binary"
	"net"
	"sync"
	"time"
)

// connection is a client's connection and ours to the server.
type connection struct {
	client, server net.Conn
	closed         chan struct{}
	closing        sync.Once

	mu    sync.Mutex
	asked map[int32]Packet // by xid

	writing sync.Mutex
}

func (l *connection) write(to net.Conn, packet []byte) error {
	l.writing.Lock() // both sides may write to the client
	defer l.writing.Unlock()
	return writePacket(to, packet)
}

// late is a packet that is due later.
type late struct {
	to     net.Conn
	packet []byte
	due    time.Time
}

// writeLate writes what is in the queue when it is due.
func (l *connection) writeLate(queue <-chan late, g *gate) {
	for next := range queue {
		if !g.pass(next.due, l.closed) || l.write(next.to, next.packet) != nil {
			l.close()
		}
	}
}

// refusal is the answer to a request that is an error code: xid, zxid and code.
func refusal(request []byte, code int32) []byte {
	answer := append([]byte(nil), request[:4]...)
	answer = append(answer, make([]byte, 8)...)
	return binary.BigEndian.AppendUint32(answer, uint32(code)) //nolint:gosec // the wire format is a signed number
}

func (l *connection) close() {
	l.closing.Do(func() { close(l.closed) })
	_ = l.client.Close()
	_ = l.server.Close()
}

// know returns the request that a packet is or replies to.
func (l *connection) know(side Side, packet []byte) Packet {
	l.mu.Lock()
	defer l.mu.Unlock()
	xid := int32(binary.BigEndian.Uint32(packet)) //nolint:gosec // the wire format is a signed number
	if side == Request {
		op := Op(binary.BigEndian.Uint32(packet[4:])) //nolint:gosec // as above
		l.asked[xid] = Packet{op, packet[8:]}
	}
	request := l.asked[xid]
	if side == Reply {
		delete(l.asked, xid)
	}
	return request
}
