// SPDX-License-Identifier: MPL-2.0

package zktest

import (
	"context"
	"net"
	"slices"
	"testing"
	"time"
)

// Op is the kind of a request: those of ZooDefs.OpCode that a test has a use for.
type Op int32

// The kinds of request.
const (
	OpCreate   Op = 1
	OpDelete   Op = 2
	OpExists   Op = 3
	OpGetData  Op = 4
	OpSetData  Op = 5
	OpGetACL   Op = 6
	OpChildren Op = 12
	OpCheck    Op = 13
	OpMulti    Op = 14

	opCloseSession Op = -11
)

// Packet is a request as it goes over the wire, without its header.
type Packet struct {
	Op   Op
	Body []byte
}

// Proxy is a Relay that can catch a request or its reply, so that a test decides in
// which order things happen and what gets lost. It ends with the test.
type Proxy struct {
	*Relay
	tb testing.TB

	// Guarded by the Relay's mutex.
	traps   []*Caught
	answers map[*answer]bool
}

// NewProxy makes a Proxy for a server.
func NewProxy(tb testing.TB, server *Server) *Proxy {
	tb.Helper()
	return NewProxyAt(tb, net.JoinHostPort(loopback, "0"), server)
}

// NewProxyAt is NewProxy at an address of this machine.
func NewProxyAt(tb testing.TB, addr string, server *Server) *Proxy {
	tb.Helper()
	relay, err := newRelay(tb.Context(), addr, server.Addr())
	if err != nil {
		tb.Fatal(err)
	}
	p := &Proxy{Relay: relay, tb: tb, answers: map[*answer]bool{}}
	p.Relay.inspect = p.inspect
	p.serve()
	tb.Cleanup(p.Close)
	return p
}

// Expire makes the server end the session of the last client that connected, as it
// does when it has not heard of it for too long. A client whose connection is kept
// busy by something caught learns of it when it connects anew.
func (p *Proxy) Expire() {
	p.tb.Helper()
	// Else the client would take its session back at once.
	p.entry.Lock()
	defer p.entry.Unlock()
	p.mu.Lock()
	answer := p.session
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := expire(ctx, p.server, answer); err != nil {
		p.tb.Fatalf("expire the session: %v", err)
	}
}

// Catch catches the first request, or the reply to it, for which match is true.
func (p *Proxy) Catch(side Side, match func(Packet) bool) *Caught {
	c := &Caught{proxy: p, side: side, match: match, hit: make(chan struct{}), verdict: make(chan verdict, 1)}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.traps = append(p.traps, c)
	return c
}

// Caught is a request that was, or will be, caught.
type Caught struct {
	proxy   *Proxy
	side    Side
	match   func(Packet) bool
	hit     chan struct{}
	verdict chan verdict
}

// Wait waits until something is caught.
func (c *Caught) Wait() {
	c.proxy.tb.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-c.hit:
	case <-timer.C:
		c.proxy.tb.Fatal("waited in vain for a request to catch")
	}
}

// Hit is closed when something is caught.
func (c *Caught) Hit() <-chan struct{} { return c.hit }

// Pass lets go what is caught.
func (c *Caught) Pass() { c.verdict <- verdict{passes: true} }

// Lose ends the connection instead.
func (c *Caught) Lose() { c.verdict <- verdict{} }

// Refuse answers a request by an error of the server's (KeeperException.Code), which
// does not see the request.
func (c *Caught) Refuse(code int32) { c.verdict <- verdict{code: code} }

// Disarm ends the waiting for something to catch, and tells whether it was caught before.
func (c *Caught) Disarm() (hit bool) {
	c.proxy.mu.Lock()
	defer c.proxy.mu.Unlock()
	i := slices.Index(c.proxy.traps, c)
	if i >= 0 {
		c.proxy.traps = slices.Delete(c.proxy.traps, i, i+1)
	}
	return i < 0
}

// answer is given in place of the server's.
type answer struct {
	match func(Packet) bool
	code  int32
	given int
}

// Answer answers every request for which match is true by an error of the server's
// (KeeperException.Code), which does not see the request, until stop is called. stop
// returns how many there were.
func (p *Proxy) Answer(code int32, match func(Packet) bool) (stop func() int) {
	a := &answer{match: match, code: code}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answers[a] = true
	return func() int {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.answers, a)
		return a.given
	}
}

// inspect says what becomes of a request or the reply to it, which what is caught waits for.
func (p *Proxy) inspect(side Side, request Packet) verdict {
	c, code := p.trapped(side, request)
	if c == nil {
		return verdict{passes: true, code: code}
	}
	close(c.hit)
	select {
	case v := <-c.verdict:
		return v
	case <-p.closed:
		return verdict{}
	}
}

// trapped takes the trap that catches the request, if there is one, or else the code that
// is its answer.
func (p *Proxy) trapped(side Side, request Packet) (*Caught, int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, c := range p.traps {
		if c.side == side && request.Op != 0 && c.match(request) {
			p.traps = append(p.traps[:i:i], p.traps[i+1:]...)
			return c, 0
		}
	}
	if side == Reply {
		return nil, 0
	}
	for a := range p.answers {
		if a.match(request) {
			a.given++
			return nil, a.code
		}
	}
	return nil, 0
}
