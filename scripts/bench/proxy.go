package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"time"
)

// Requests are those that a client sent, without pings and the opening and
// closing of sessions.
type Requests struct {
	All    float64 `json:"all"`
	Writes float64 `json:"writes"` // of them: those that the ensemble has to agree on
}

// The kinds of request that change something (ZooDefs.OpCode), and the numbers that
// are no request's or answer's (xids).
var writes = map[uint32]bool{1: true, 2: true, 5: true, 14: true}

const (
	opClose = ^uint32(10) // -11
	xidPing = ^uint32(1)  // -2
	xidNews = ^uint32(0)  // -1, of a watch that fires
	maxWire = 64 << 20
)

// proxy stands between clients and a server. It counts the requests, and delays
// all that passes, without holding back what comes behind.
type proxy struct {
	server   string
	delay    time.Duration // of each direction
	listener net.Listener
	running  sync.WaitGroup

	mu       sync.Mutex
	links    map[net.Conn]bool
	requests Requests
	woken    float64
}

func newProxy(ctx context.Context, server string, delay time.Duration) (*proxy, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{server: server, delay: delay, listener: listener, links: map[net.Conn]bool{}}
	p.running.Go(p.accept)
	return p, nil
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

// close ends all connections.
func (p *proxy) close() {
	_ = p.listener.Close()
	p.mu.Lock()
	for conn := range p.links {
		_ = conn.Close()
	}
	p.mu.Unlock()
	p.running.Wait()
}

// take returns what has passed since the last call: requests, and watches fired.
func (p *proxy) take() (Requests, float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	requests, woken := p.requests, p.woken
	p.requests, p.woken = Requests{}, 0
	return requests, woken
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.server)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		p.links[client], p.links[server] = true, true
		p.mu.Unlock()
		p.running.Go(func() { p.pass(client, server, p.countRequest) })
		p.running.Go(func() { p.pass(server, client, p.countAnswer) })
	}
}

// packet is a length and as many bytes.
type packet struct {
	bytes []byte
	due   time.Time
}

// pass passes the packets of one direction on until either end hangs up.
func (p *proxy) pass(from, to net.Conn, count func([]byte)) {
	queue := make(chan packet, 1<<14)
	p.running.Go(func() {
		for next := range queue {
			time.Sleep(time.Until(next.due))
			if _, err := to.Write(next.bytes); err != nil {
				_ = from.Close()
			}
		}
		_ = to.Close()
	})
	defer close(queue)
	reader := bufio.NewReaderSize(from, 1<<16)
	for first := true; ; first = false {
		var length [4]byte
		if _, err := io.ReadFull(reader, length[:]); err != nil {
			return
		}
		n := binary.BigEndian.Uint32(length[:])
		if n > maxWire {
			return
		}
		bytes := make([]byte, 4+n)
		copy(bytes, length[:])
		if _, err := io.ReadFull(reader, bytes[4:]); err != nil {
			return
		}
		if !first && n >= 8 {
			count(bytes[4:])
		}
		queue <- packet{bytes, time.Now().Add(p.delay)}
	}
}

func (p *proxy) countRequest(body []byte) {
	xid, op := binary.BigEndian.Uint32(body), binary.BigEndian.Uint32(body[4:])
	if xid == xidPing || op == opClose {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests.All++
	if writes[op] {
		p.requests.Writes++
	}
}

func (p *proxy) countAnswer(body []byte) {
	if binary.BigEndian.Uint32(body) != xidNews {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.woken++
}
