package locker

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// Operations of ZooKeeper's protocol (ZooDefs.OpCode), as far as they matter here.
const (
	opCreate  uint32 = 1
	opDelete  uint32 = 2
	opPing    uint32 = 11
	opMulti   uint32 = 14
	opConnect uint32 = 0 // not in the protocol: the first packet of a connection
)

// packet is what passes the proxy.
type packet struct {
	op     uint32
	answer bool // else a request
	n      int  // of its direction's packets with any operation but ping and connect, from 1
}

// fate is what becomes of a packet.
type fate int

const (
	passOn   fate = iota
	lose          // as a partition does
	breakOff      // lose it, and the connection with it
)

// proxy stands between a client and a server, and can lose exactly what a test
// wants lost. It knows packets, not what is in them.
type proxy struct {
	tb     testing.TB
	server string
	addr   string

	mu       sync.Mutex
	judge    func(packet) fate
	counts   map[bool]int
	ops      []uint32 // all requests
	links    map[*link]bool
	session  []byte // id and password, as the server gave them
	handover sync.RWMutex
	running  sync.WaitGroup
}

// link is one connection through the proxy.
type link struct {
	client, server net.Conn
	asked          map[uint32]uint32 // the operation by xid
}

func newProxy(tb testing.TB, server string) *proxy {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	p := &proxy{
		tb: tb, server: server, addr: listener.Addr().String(),
		judge:  func(packet) fate { return passOn },
		counts: make(map[bool]int),
		links:  make(map[*link]bool),
	}
	p.running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			p.running.Go(func() { p.serve(conn) })
		}
	})
	tb.Cleanup(func() {
		_ = listener.Close()
		p.hangUp()
		p.running.Wait()
	})
	return p
}

// rule sets what becomes of the packets from now on, whose numbers begin anew. It
// is called for one packet at a time and may wait.
func (p *proxy) rule(judge func(packet) fate) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.judge, p.counts, p.ops = judge, make(map[bool]int), nil
}

// requests returns the operations that were asked for since the last rule.
func (p *proxy) requests() []uint32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]uint32(nil), p.ops...)
}

// hangUp breaks all connections.
func (p *proxy) hangUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.close()
	}
}

func (l *link) close() {
	_ = l.client.Close()
	_ = l.server.Close()
}

func (p *proxy) serve(client net.Conn) {
	p.handover.RLock()
	server, err := net.Dial("tcp", p.server)
	p.handover.RUnlock()
	if err != nil {
		_ = client.Close()
		return
	}
	l := &link{client: client, server: server, asked: make(map[uint32]uint32)}
	p.mu.Lock()
	p.links[l] = true
	p.mu.Unlock()
	defer func() {
		l.close()
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.links, l)
	}()
	p.running.Go(func() {
		p.pump(l, l.server, l.client, true)
		l.close()
	})
	p.pump(l, l.client, l.server, false)
}

// pump passes packets on in one direction until the connection breaks.
func (p *proxy) pump(l *link, from, to net.Conn, answers bool) {
	for first := true; ; first = false {
		raw, err := readPacket(from)
		if err != nil {
			return
		}
		switch p.decide(l, raw, first, answers) {
		case passOn:
			if _, err := to.Write(raw); err != nil {
				return
			}
		case breakOff:
			return
		}
	}
}

func (p *proxy) decide(l *link, raw []byte, first, answer bool) fate {
	p.mu.Lock()
	pk := packet{op: opConnect, answer: answer}
	switch {
	case first && answer:
		p.session = append(raw[12:20:20], raw[24:40]...)
	case !first:
		xid := binary.BigEndian.Uint32(raw[4:])
		if answer {
			op, asked := l.asked[xid]
			if xid == 0xfffffffe {
				op, asked = opPing, true
			}
			if !asked {
				p.mu.Unlock()
				return passOn // an event
			}
			pk.op = op
		} else {
			pk.op = binary.BigEndian.Uint32(raw[8:])
			l.asked[xid] = pk.op
		}
	}
	if pk.op != opConnect && pk.op != opPing {
		p.counts[answer]++
		pk.n = p.counts[answer]
		if !answer {
			p.ops = append(p.ops, pk.op)
		}
	}
	judge := p.judge
	p.mu.Unlock()
	return judge(pk)
}

// expire makes the server end the client's session: the proxy takes it over and
// closes it, as nobody else can.
func (p *proxy) expire() {
	p.tb.Helper()
	p.handover.Lock() // the client would take it back
	defer p.handover.Unlock()
	p.mu.Lock()
	session := p.session
	p.mu.Unlock()
	conn, err := net.Dial("tcp", p.server)
	if err != nil {
		p.tb.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(patience))
	connect := make([]byte, 48)
	binary.BigEndian.PutUint32(connect, 44)
	binary.BigEndian.PutUint32(connect[16:], 10_000) // milliseconds
	copy(connect[20:], session[:8])
	binary.BigEndian.PutUint32(connect[28:], 16)
	copy(connect[32:], session[8:])
	closing := []byte{0, 0, 0, 8, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xf5} // operation -11
	for _, request := range [][]byte{connect, closing} {
		if _, err := conn.Write(request); err != nil {
			p.tb.Fatal(err)
		}
		if _, err := readPacket(conn); err != nil {
			p.tb.Fatal("expire a session: ", err)
		}
	}
}

// readPacket returns a packet with its length.
func readPacket(conn net.Conn) ([]byte, error) {
	raw := make([]byte, 4)
	if _, err := io.ReadFull(conn, raw); err != nil {
		return nil, err
	}
	length := binary.BigEndian.Uint32(raw)
	if length > 1<<20 {
		return nil, errors.New("not a packet")
	}
	raw = append(raw, make([]byte, length)...)
	_, err := io.ReadFull(conn, raw[4:])
	return raw, err
}
