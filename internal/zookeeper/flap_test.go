// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// flapping stands before a server. While it is armed it resets each connection
// right after it has passed on the server's answer to the handshake.
type flapping struct {
	addr  string
	armed atomic.Bool
	hits  chan struct{} // one for each connection that was reset, as far as there is room

	mu      sync.Mutex
	clients []net.Conn
}

func newFlapping(t *testing.T, server string) *flapping {
	t.Helper()
	f := &flapping{hits: make(chan struct{}, 1000)}
	var passing sync.WaitGroup
	t.Cleanup(passing.Wait)
	f.addr = listen(t, func(client net.Conn) {
		f.mu.Lock()
		f.clients = append(f.clients, client)
		f.mu.Unlock()
		passing.Go(func() { f.pass(client, server) })
	})
	return f
}

func (f *flapping) pass(client net.Conn, server string) {
	defer func() { _ = client.Close() }()
	out, err := net.Dial("tcp", server)
	if err != nil {
		return
	}
	armed := f.armed.Load()
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		_, _ = io.Copy(out, client)
		_ = out.Close()
	}()
	if armed {
		var length [4]byte
		if _, err := io.ReadFull(out, length[:]); err == nil {
			answer := make([]byte, binary.BigEndian.Uint32(length[:]))
			_, _ = io.ReadFull(out, answer)
			_ = client.(*net.TCPConn).SetLinger(0)
			_, _ = client.Write(append(length[:], answer...))
			f.hits <- struct{}{}
		}
	} else {
		_, _ = io.Copy(client, out)
	}
	_ = client.Close()
	_ = out.Close()
	<-asked
}

// cut ends all connections.
func (f *flapping) cut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, client := range f.clients {
		_ = client.Close()
	}
	f.clients = nil
}

// awaitHits waits until so many connections were reset.
func (f *flapping) awaitHits(t *testing.T, n int) {
	t.Helper()
	for range n {
		await(t, "a reset connection", f.hits)
	}
}

// The client library deadlocks where a connection breaks while it sends credentials again.
func TestConnectionsThatBreakWhileTheUserIsTold(t *testing.T) {
	t.Parallel()
	for name, auth := range map[string]Digest{"nobody": {}, "a user": alice()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFlapping(t, zktest.NewSpace(t).Addr())
			cfg := config(f.addr)
			cfg.SessionTimeout, cfg.Auth = 30*time.Second, auth
			s := open(t, cfg)
			id := s.ID()
			f.armed.Store(true)
			f.cut()
			f.awaitHits(t, 3)
			f.armed.Store(false)
			if err := again(func() error { _, err := s.Stat(bounded(t), "/"); return err }); err != nil {
				t.Error(err)
			}
			if s.ID() != id || s.Err() != nil {
				t.Errorf("session %#x has become %#x, %v", id, s.ID(), s.Err())
			}
			closed := make(chan struct{})
			go func() {
				defer close(closed)
				_ = s.Close()
			}()
			await(t, "Close", closed)
		})
	}
}

// A load balancer may lead to a server that is stopped, and the next time to another.
func TestOpenWithANameWhoseFirstServerIsSilent(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	var passing sync.WaitGroup
	t.Cleanup(passing.Wait)
	var connections int
	addr := listen(t, func(client net.Conn) {
		if connections++; connections == 1 {
			return
		}
		out, err := net.Dial("tcp", space.Addr())
		if err != nil {
			t.Error(err)
			return
		}
		passing.Go(func() { _, _ = io.Copy(out, client); _ = out.Close() })
		passing.Go(func() { _, _ = io.Copy(client, out); _ = client.Close() })
	})
	cfg := config(addr)
	cfg.ConnectTimeout = 6 * time.Second
	s, err := Open(bounded(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// A connection that breaks before it is of use is made again after longer and longer
// pauses, but within the session's life.
func TestPausesGrow(t *testing.T) {
	t.Parallel()
	const granted = 5 * time.Second
	var useful atomic.Bool
	addr := listen(t, func(conn net.Conn) {
		_, _ = conn.Write(connectResponse(granted, 7))
		if useful.Load() {
			_, _ = conn.Write([]byte(pong))
		}
		_ = conn.Close()
	})
	tr := newTransport(patience)
	var pauses []time.Duration
	tr.sleep = func(_ context.Context, d time.Duration) { pauses = append(pauses, d) }
	connect := func() {
		t.Helper()
		conn, err := tr.dial("tcp", addr, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = readPackets(conn)
		_ = conn.Close()
	}
	for range 10 {
		connect()
	}
	if len(pauses) != 8 || tr.reason() == nil || !tr.flapping() {
		t.Fatalf("10 connections that break at once: pauses %v, cause %v", pauses, tr.reason())
	}
	for i := range pauses[1:] {
		if pauses[i+1] != min(2*pauses[i], granted/10) {
			t.Errorf("the pauses are %v", pauses)
		}
	}
	if last := pauses[len(pauses)-1]; last != granted/10 {
		t.Errorf("the pauses grow to %v, want %v", last, granted/10)
	}
	useful.Store(true)
	connect()
	if tr.pause() != 0 || tr.flapping() {
		t.Errorf("after a connection that was of use the pause is %v", tr.pause())
	}
}

// connectResponse is a server's answer to the request to connect.
func connectResponse(timeout time.Duration, session uint64) []byte {
	packet := withNumber(make([]byte, 4), int(timeout/time.Millisecond)) // behind the protocol's version
	packet = binary.BigEndian.AppendUint64(packet, session)
	packet = append(withNumber(packet, 16), make([]byte, 16)...)
	return append(withNumber(nil, len(packet)), packet...)
}

// The log tells of the first break, and of the first connection that is of use.
func TestLogOfAFlappingServer(t *testing.T) {
	t.Parallel()
	f := newFlapping(t, zktest.NewSpace(t).Addr())
	log := newLogged()
	p := &Pool{Log: log.logger()}
	t.Cleanup(p.Close)
	s := mustSession(t, p, config(f.addr))
	if _, err := s.Stat(bounded(t), "/"); err != nil {
		t.Fatal(err)
	}
	f.armed.Store(true)
	f.cut()
	f.awaitHits(t, 7)
	f.armed.Store(false)
	if err := again(func() error { _, err := s.Stat(bounded(t), "/"); return err }); err != nil {
		t.Error(err)
	}
	if err := s.Cause(); err != nil {
		t.Errorf("a connection that stands has the cause %v", err)
	}
	text := log.String()
	lost, connected := strings.Count(text, "connection to ZooKeeper lost"), strings.Count(text, "connected to ZooKeeper")
	if lost != 2 || connected != 3 || !strings.Contains(text, errHungUp.Error()) {
		t.Errorf("%d breaks and %d connections are told, want 2 and 3:\n%s", lost, connected, text)
	}
}

func TestAttemptsFitIntoTheTimeToConnect(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		servers          int
		connect, session time.Duration
		want             time.Duration
	}{
		{1, 15 * time.Second, 15 * time.Second, 5 * time.Second},
		{2, 15 * time.Second, 15 * time.Second, 7500 * time.Millisecond},
		{3, 15 * time.Second, 15 * time.Second, 5 * time.Second},
		{5, 15 * time.Second, 15 * time.Second, 3 * time.Second},
		{100, 15 * time.Second, 15 * time.Second, time.Second},
		{1, 15 * time.Second, 6 * time.Second, 2 * time.Second},
		{1, 15 * time.Second, time.Second, time.Second},
		{1, 1500 * time.Millisecond, 15 * time.Second, 500 * time.Millisecond},
		{1, time.Hour, time.Hour, 20 * time.Minute},
	} {
		cfg := Config{Servers: make([]string, test.servers), ConnectTimeout: test.connect, SessionTimeout: test.session}
		if got := attemptTime(cfg); got != test.want {
			t.Errorf("%d servers, %v to connect, session %v: %v for an attempt, want %v", test.servers, test.connect, test.session, got, test.want)
		}
	}
}

// A packet that cannot be written ends the connection for the reader; the library is
// told of one error, not two.
func TestFailedWriteIsTheReadersError(t *testing.T) {
	t.Parallel()
	server, client := net.Pipe()
	defer func() { _ = server.Close() }()
	tr := newTransport(time.Second)
	conn := &packetConn{Conn: client, transport: tr, incoming: bufio.NewReader(client), shaken: func() {}, greeted: true}
	if err := conn.SetWriteDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if n, err := conn.Write([]byte("packet")); n != len("packet") || err != nil {
			t.Errorf("wrote %d, %v", n, err)
		}
	}
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, errSilent) {
		t.Errorf("the reader's error is %v", err)
	}
	if !errors.Is(tr.reason(), errSilent) {
		t.Errorf("the cause is %v", tr.reason())
	}
}

func TestCloseDoesNotWaitForALibraryThatHangs(t *testing.T) {
	t.Parallel()
	events := make(chan Event, 1)
	events <- Event{}
	if err := awaitEnd(events, time.Millisecond); !errors.Is(err, errLibrary) {
		t.Errorf("want errLibrary, got %v", err)
	}
	close(events)
	if err := awaitEnd(events, patience); err != nil {
		t.Error(err)
	}
}
