package zktest

import (
	"context"
	"net"
	"sync"
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

// Side says where a request is caught.
type Side int

// The two sides.
const (
	// Request catches it before the server has seen it.
	Request Side = iota
	// Reply catches the answer: the server has carried it out, and the client does
	// not know.
	Reply
)

// Proxy stands between clients and a server. It passes everything on, and can catch
// a request or its reply, so that a test decides in which order things happen and
// what gets lost. It ends with the test.
type Proxy struct {
	tb       testing.TB
	server   string
	listener net.Listener
	running  sync.WaitGroup
	ended    chan struct{}
	expiring sync.RWMutex // held for writing while nobody is let in
	gates    [2]gate      // by Side

	mu          sync.Mutex
	refusing    bool
	connections map[*connection]bool
	traps       []*Caught
	answers     map[*answer]bool
	session     []byte // what the server answered to the last client that connected
}

// NewProxy makes a Proxy for a server.
func NewProxy(tb testing.TB, server *Server) *Proxy {
	tb.Helper()
	return NewProxyAt(tb, net.JoinHostPort(loopback, "0"), server)
}

// NewProxyAt is NewProxy at an address of this machine.
func NewProxyAt(tb testing.TB, addr string, server *Server) *Proxy {
	tb.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(tb.Context(), "tcp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	p := &Proxy{tb: tb, server: server.Addr(), listener: listener, ended: make(chan struct{}), connections: map[*connection]bool{}, answers: map[*answer]bool{}}
	p.running.Go(p.accept)
	tb.Cleanup(func() {
		close(p.ended)
		_ = listener.Close()
		p.Cut()
		p.running.Wait()
	})
	return p
}

// Addr is the host:port to connect to in place of the server's.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Refuse ends all connections and takes no others, until Accept.
func (p *Proxy) Refuse() {
	p.refuse(true)
	p.Cut()
}

// Accept ends Refuse.
func (p *Proxy) Accept() { p.refuse(false) }

func (p *Proxy) refuse(refusing bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refusing = refusing
}

// Cut ends all connections. Clients may come back.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.connections {
		l.close()
	}
}

// Expire makes the server end the session of the last client that connected, as it
// does when it has not heard of it for too long. A client whose connection is kept
// busy by something caught learns of it when it connects anew.
func (p *Proxy) Expire() {
	p.tb.Helper()
	// Else the client would take its session back at once.
	p.expiring.Lock()
	defer p.expiring.Unlock()
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

// verdict is what becomes of something that was caught.
type verdict struct {
	passes bool
	code   int32 // the server's answer in its place, if not 0
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

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		l := &connection{client: client, asked: map[int32]Packet{}, closed: make(chan struct{})}
		p.expiring.RLock() // waits, as a client that is refused would rest for a second
		p.mu.Lock()
		refusing := p.refusing
		if !refusing {
			if l.server, err = net.DialTimeout("tcp", p.server, fourLetterTimeout); err == nil {
				p.connections[l] = true
			}
		}
		p.mu.Unlock()
		p.expiring.RUnlock()
		if refusing || err != nil {
			_ = client.Close()
			continue
		}
		p.running.Go(func() { p.pass(l, Request) })
		p.running.Go(func() { p.pass(l, Reply) })
	}
}

// pass passes the packets of one side on until either end hangs up.
func (p *Proxy) pass(l *connection, side Side) {
	defer func() {
		l.close()
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.connections, l)
	}()
	from, to := l.client, l.server
	if side == Reply {
		from, to = to, from
	}
	for first := true; ; first = false {
		to := to
		packet, err := readPacket(from)
		if err != nil {
			return
		}
		if first && side == Reply {
			p.mu.Lock()
			p.session = packet
			p.mu.Unlock()
		}
		c, code := p.trapped(l, side, first, packet)
		if code != 0 {
			to, packet = l.client, refusal(packet, code)
		}
		if c != nil {
			close(c.hit)
			select {
			case verdict := <-c.verdict:
				if verdict.code != 0 {
					to, packet = l.client, refusal(packet, verdict.code)
				} else if !verdict.passes {
					return
				}
			case <-p.ended:
				return
			}
		}
		if !p.gates[side].pass(p.gates[side].due(), l.closed) {
			return
		}
		if err := l.write(to, packet); err != nil {
			return
		}
	}
}

// trapped takes the trap that catches the packet, if there is one, or else the code that
// is its answer.
func (p *Proxy) trapped(l *connection, side Side, handshake bool, packet []byte) (*Caught, int32) {
	if handshake || len(packet) < 8 {
		return nil, 0
	}
	request := l.know(side, packet)
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, c := range p.traps {
		if c.side == side && request.Op != 0 && c.match(request) {
			p.traps = append(p.traps[:i:i], p.traps[i+1:]...)
			return c, 0
		}
	}
	if side == Request {
		return nil, p.answerTo(request)
	}
	return nil, 0
}
