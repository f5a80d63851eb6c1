// SPDX-License-Identifier: MPL-2.0

package zktest

import (
	"bufio"
	"context"
	"encoding/binary"
	"net"
	"sync"
	"time"
)

// Side is a direction, and with that the moment at which a request is caught.
type Side int

// The two sides.
const (
	// Request is from a client to the server: the server has not seen the request.
	Request Side = iota
	// Reply is from the server to a client: the server has carried the request out, and
	// the client does not know.
	Reply
)

// Relay stands between clients and a server and passes on what they send to each other. It
// counts that, delays it, holds it back, and ends connections. For tests there is Proxy.
type Relay struct {
	server   string
	listener net.Listener
	running  sync.WaitGroup
	closed   chan struct{}
	entry    sync.RWMutex // held for writing while nobody is let in
	gates    [2]gate      // by Side
	inspect  func(side Side, request Packet) verdict

	mu          sync.Mutex
	refusing    bool
	connections map[*connection]bool
	session     []byte // what the server answered to the last client that connected
	counts      Counts
}

// verdict is what becomes of a packet.
type verdict struct {
	passes bool
	code   int32 // the server's answer in its place, if not 0
}

// Counts are numbers of packets.
type Counts struct {
	Requests int // without pings, and without the opening and closing of sessions
	Writes   int // of the requests: those that the ensemble has to agree on
	Events   int // of watches
}

// StartRelay makes a Relay that listens on a free port of this machine. Close ends it.
func StartRelay(ctx context.Context, server string) (*Relay, error) {
	r, err := newRelay(ctx, net.JoinHostPort(loopback, "0"), server)
	if err != nil {
		return nil, err
	}
	r.serve()
	return r, nil
}

// newRelay makes a Relay that passes nothing on before serve.
func newRelay(ctx context.Context, addr, server string) (*Relay, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &Relay{
		server:      server,
		listener:    listener,
		closed:      make(chan struct{}),
		inspect:     func(Side, Packet) verdict { return verdict{passes: true} },
		connections: map[*connection]bool{},
	}, nil
}

func (r *Relay) serve() { r.running.Go(r.accept) }

// Close ends all connections, and takes no others.
func (r *Relay) Close() {
	close(r.closed)
	_ = r.listener.Close()
	r.Refuse()
	r.running.Wait()
}

// Addr is the host:port to connect to in place of the server's.
func (r *Relay) Addr() string { return r.listener.Addr().String() }

// Refuse ends all connections and takes no others, until Accept.
func (r *Relay) Refuse() {
	r.refuse(true)
	r.Cut()
}

// Accept ends Refuse.
func (r *Relay) Accept() { r.refuse(false) }

func (r *Relay) refuse(refusing bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refusing = refusing
}

// Cut ends all connections. Clients may come back.
func (r *Relay) Cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for l := range r.connections {
		l.close()
	}
}

// InUse tells whether a client is connected.
func (r *Relay) InUse() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.connections) > 0
}

// Hold stops one direction, also of connections that are made later, until Release:
// requests do not reach the server, or its answers do not reach the client. What was held
// arrives then, unless either end has hung up.
func (r *Relay) Hold(side Side) { r.gates[side].hold() }

// Delay delays each direction by d until Release, without holding back what comes behind.
// It applies to the connections that are made from now on.
func (r *Relay) Delay(d time.Duration) {
	r.gates[Request].slow(d)
	r.gates[Reply].slow(d)
}

// Release ends Hold for both directions, and Delay.
func (r *Relay) Release() {
	r.gates[Request].release()
	r.gates[Reply].release()
}

// Count returns the numbers of what was passed on since its last call.
func (r *Relay) Count() Counts {
	r.mu.Lock()
	defer r.mu.Unlock()
	counts := r.counts
	r.counts = Counts{}
	return counts
}

func (r *Relay) accept() {
	for {
		client, err := r.listener.Accept()
		if err != nil {
			return
		}
		l := &connection{client: client, asked: map[int32]Packet{}, closed: make(chan struct{})}
		r.entry.RLock() // waits, as a client that is refused would rest for a second
		r.mu.Lock()
		refusing := r.refusing
		if !refusing {
			if l.server, err = net.DialTimeout("tcp", r.server, fourLetterTimeout); err == nil {
				r.connections[l] = true
			}
		}
		r.mu.Unlock()
		r.entry.RUnlock()
		if refusing || err != nil {
			_ = client.Close()
			continue
		}
		r.running.Go(func() { r.pass(l, Request) })
		r.running.Go(func() { r.pass(l, Reply) })
	}
}

// pass passes the packets of one side on until either end hangs up.
func (r *Relay) pass(l *connection, side Side) {
	defer func() {
		l.close()
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.connections, l)
	}()
	from, next := l.client, l.server
	if side == Reply {
		from, next = next, from
	}
	write := l.write
	if gate := &r.gates[side]; gate.delays() {
		queue := make(chan late, 1<<14)
		defer close(queue)
		r.running.Go(func() { l.writeLate(queue, gate) })
		write = func(to net.Conn, packet []byte) error {
			queue <- late{to, packet, gate.due()}
			return nil
		}
	}
	reader := bufio.NewReader(from)
	for first := true; ; first = false {
		packet, err := readPacket(reader)
		if err != nil {
			return
		}
		to := next
		switch {
		case first && side == Reply:
			r.mu.Lock()
			r.session = packet
			r.mu.Unlock()
		case !first && len(packet) >= 8:
			request := l.know(side, packet)
			r.count(side, packet, request)
			switch v := r.inspect(side, request); {
			case v.code != 0:
				to, packet = l.client, refusal(packet, v.code)
			case !v.passes:
				return
			}
		}
		if !r.gates[side].pass(time.Now(), l.closed) {
			return
		}
		if err := write(to, packet); err != nil {
			return
		}
	}
}

func (r *Relay) count(side Side, packet []byte, request Packet) {
	const eventXid, pingXid = -1, -2
	xid := int32(binary.BigEndian.Uint32(packet)) //nolint:gosec // the wire format is a signed number
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case side == Reply && xid == eventXid:
		r.counts.Events++
	case side == Request && xid != pingXid && request.Op != opCloseSession:
		r.counts.Requests++
		switch request.Op {
		case OpCreate, OpDelete, OpSetData, OpMulti:
			r.counts.Writes++
		}
	}
}
