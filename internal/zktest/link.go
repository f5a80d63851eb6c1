// SPDX-License-Identifier: MPL-2.0

package zktest

import (
	"encoding/binary"
	"io"
	"net"
	"strconv"
	"sync"
	"time"
)

// Link is one direction between two members of an ensemble that was started with
// [Options.Links]. It carries all that the one sends to the other.
type Link struct {
	gate
	network  *network
	from, to int // from 0
}

// Hold stops everything until Release, when it arrives after all: a network that loses
// packets does the same to a TCP connection. Nobody can connect meanwhile, in neither
// direction.
func (l *Link) Hold() { l.hold() }

// Lag delays everything by d until Release.
func (l *Link) Lag(d time.Duration) { l.slow(d) }

// Release ends Hold and Lag.
func (l *Link) Release() { l.release() }

// Cut ends the connections between the two, who may connect again.
func (l *Link) Cut() {
	l.network.mu.Lock()
	defer l.network.mu.Unlock()
	for r := range l.network.relayed {
		if r.from == l.from && r.to == l.to || r.from == l.to && r.to == l.from {
			r.close()
		}
	}
}

// network is what connects the members of an ensemble.
type network struct {
	size    int
	links   []*Link // from a to b at a*size + b
	running sync.WaitGroup
	ended   chan struct{}

	mu        sync.Mutex
	listeners []net.Listener
	relayed   map[*relayed]bool
}

// relayed is a connection from one member to another.
type relayed struct {
	from, to   int
	near, far  net.Conn // of from, and of to
	closed     chan struct{}
	closedOnce sync.Once
}

func (r *relayed) close() {
	r.closedOnce.Do(func() {
		close(r.closed)
		_ = r.near.Close()
		_ = r.far.Close()
	})
}

func newNetwork(size int) *network {
	n := &network{size: size, ended: make(chan struct{}), relayed: make(map[*relayed]bool)}
	for i := range size * size {
		n.links = append(n.links, &Link{network: n, from: i / size, to: i % size})
	}
	return n
}

func (n *network) link(from, to int) *Link { return n.links[from*n.size+to] }

// insert puts the links between members who would see each other at these ports.
func (n *network) insert(seen [][]member) error {
	type relay struct {
		from, to      int
		member        // where to listens itself
		peers, elects net.Listener
	}
	var relays []relay
	for from := range n.size {
		for to := range n.size {
			if from == to {
				continue
			}
			peers, err := n.listen()
			if err != nil {
				return err
			}
			elects, err := n.listen()
			if err != nil {
				return err
			}
			relays = append(relays, relay{from, to, seen[from][to], peers, elects})
			seen[from][to] = member{portOf(peers), portOf(elects)}
		}
	}
	for _, r := range relays {
		n.serve(r.peers, r.from, r.to, address(r.peer), "")
		n.serve(r.elects, r.from, r.to, address(r.election), address(seen[r.to][r.from].election))
	}
	return nil
}

func address(port int) string { return net.JoinHostPort(loopback, strconv.Itoa(port)) }

func portOf(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port } //nolint:forcetypeassert // of TCP

// listen is where one member is to find a port of another.
func (n *network) listen() (net.Listener, error) {
	listener, err := net.Listen("tcp", net.JoinHostPort(loopback, "0")) //nolint:noctx // at once
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.listeners = append(n.listeners, listener)
	return listener, nil
}

// serve connects those who come to listener, which is member from, to a port of member
// to. back, if not empty, is where to finds the elections of from.
func (n *network) serve(listener net.Listener, from, to int, port, back string) {
	n.running.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			n.running.Go(func() { n.relay(near, from, to, port, back) })
		}
	})
}

// relay carries one connection until either end hangs up.
func (n *network) relay(near net.Conn, from, to int, port, back string) {
	there, home := n.link(from, to), n.link(to, from)
	if !there.pass(there.due(), n.ended) || !home.pass(home.due(), n.ended) {
		_ = near.Close()
		return
	}
	far, err := net.DialTimeout("tcp", port, fourLetterTimeout)
	if err != nil {
		_ = near.Close()
		return
	}
	r := &relayed{from: from, to: to, near: near, far: far, closed: make(chan struct{})}
	n.mu.Lock()
	n.relayed[r] = true
	n.mu.Unlock()
	defer func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.relayed, r)
	}()
	var both sync.WaitGroup
	both.Go(func() { r.pump(far, near, &there.gate, back) })
	both.Go(func() { r.pump(near, far, &home.gate, "") })
	select {
	case <-r.closed:
	case <-n.ended:
		r.close()
	}
	both.Wait()
}

// chunk is what was read at once.
type chunk struct {
	bytes []byte
	due   time.Time
}

// pump carries what comes from one end to the other.
func (r *relayed) pump(to io.Writer, from io.Reader, g *gate, back string) {
	defer r.close()
	chunks := make(chan chunk, 1024)
	var reading sync.WaitGroup
	defer reading.Wait()
	reading.Go(func() {
		defer close(chunks)
		var first []byte
		if back != "" {
			var err error
			if first, err = introduction(from, back); err != nil {
				return
			}
		}
		for {
			buffer := make([]byte, 32<<10)
			n, err := from.Read(buffer)
			select {
			case chunks <- chunk{append(first, buffer[:n]...), g.due()}:
			case <-r.closed:
				return
			}
			first = nil
			if err != nil {
				return
			}
		}
	})
	for c := range chunks {
		if !g.pass(c.due, r.closed) {
			break
		}
		if _, err := to.Write(c.bytes); err != nil {
			break
		}
	}
	r.close()
}

// introduction reads what a member says first where it connects for an election, and
// puts another address in it (QuorumCnxManager.InitialMessage: version, id, length and
// address): a member with a higher id connects to that address in its turn.
func introduction(from io.Reader, address string) ([]byte, error) {
	message := make([]byte, 8)
	if _, err := io.ReadFull(from, message); err != nil {
		return nil, err
	}
	if int64(binary.BigEndian.Uint64(message)) >= 0 { //nolint:gosec // the wire format is a signed number
		return message, nil // an id, without an address
	}
	rest := make([]byte, 8+4)
	if _, err := io.ReadFull(from, rest); err != nil {
		return nil, err
	}
	if _, err := io.CopyN(io.Discard, from, int64(binary.BigEndian.Uint32(rest[8:]))); err != nil {
		return nil, err
	}
	message = append(message, rest[:8]...)
	message = binary.BigEndian.AppendUint32(message, uint32(len(address))) //nolint:gosec // short
	return append(message, address...), nil
}

// close ends all connections. None can be made from then on.
func (n *network) close() {
	close(n.ended)
	n.mu.Lock()
	for _, listener := range n.listeners {
		_ = listener.Close()
	}
	n.mu.Unlock()
	n.running.Wait()
}
