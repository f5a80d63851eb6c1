// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"bufio"
	"errors"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// A connection that breaks again and again, under a session that has watches and
// is asked all the time, as it is with many waiters. The client library alone has
// a data race there.
func TestReconnect(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	s := open(t, config(space.Addr()))
	id := s.ID()
	mustCreate(t, s, space.Path("/a"), Ephemeral)
	stop := make(chan struct{})
	var asking sync.WaitGroup
	for range 8 {
		asking.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := s.Stat(bounded(t), space.Path("/a")); err != nil && !Disconnected(err) {
					t.Errorf("asked while the connection breaks: %v", err)
					return
				}
			}
		})
	}
	for range 30 {
		if err := s.Ready(bounded(t)); err != nil {
			t.Error(err)
			break
		}
		changed := s.Changed()
		watch, err := s.Watch(bounded(t), space.Path("/a"))
		if err != nil {
			t.Error(err)
			break
		}
		s.transport.hangUp()
		select {
		case <-watch.Event:
		case <-bounded(t).Done():
			t.Error("a watch outlives its connection")
		}
		await(t, "a change of the connection", changed)
	}
	close(stop)
	asking.Wait()
	if err := s.Ready(bounded(t)); err != nil {
		t.Error(err)
	}
	if s.ID() != id || s.Err() != nil {
		t.Errorf("session %#x has become %#x, %v", id, s.ID(), s.Err())
	}
	_ = s.Close()
}

// pong is a server's answer to a ping.
const pong = "\x00\x00\x00\x10\xff\xff\xff\xfe\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// The connection can break at any byte: what has not come whole does not count.
func TestWatchesEndWithTheConnection(t *testing.T) {
	t.Parallel()
	handshake := "\x00\x00\x00\x24\x00\x00\x00\x00\x00\x00\x03\xe8\x00\x00\x00\x00\x00\x00\x00\x07\x00\x00\x00\x10" + strings.Repeat("p", 16)
	stream := handshake + pong
	for broken := range len(stream) + 1 {
		server, client := net.Pipe()
		go func() {
			_, _ = server.Write([]byte(stream[:broken]))
			_ = server.Close()
		}()
		tr := newTransport(time.Second)
		for _, path := range []string{"/a", "/a", "/b/c", "/no-such"} {
			tr.watches.begin(path)
			if path != "/b/c" { // whose answer is on its way
				tr.watches.end(path, path == "/a")
			}
		}
		conn := &packetConn{Conn: client, transport: tr, incoming: bufio.NewReader(client), shaken: func() {}}
		packets, err := readPackets(conn)
		if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("broken at %d: %v", broken, err)
		}
		wanted := 0
		if broken >= len(handshake) {
			wanted = 1 + 2
		}
		if broken == len(stream) {
			wanted = 2 + 2
		}
		if len(packets) != wanted {
			t.Errorf("broken at %d: %d packets %q, want %d", broken, len(packets), packets, wanted)
		}
		if session, timeout := tr.negotiated(); (session == 7 && timeout == time.Second) != (wanted > 0) {
			t.Errorf("broken at %d: session %d, timeout %v", broken, session, timeout)
		}
		_ = conn.Close()
		tr.stop()
	}
}

// What was watched is forgotten with its event, so that a session that lives long
// keeps no more than it watches.
func TestWatchesAreForgotten(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	s := open(t, config(space.Addr()))
	keeps := func(want ...string) {
		t.Helper()
		s.transport.watches.mu.Lock()
		defer s.transport.watches.mu.Unlock()
		if got := slices.Sorted(maps.Keys(s.transport.watches.paths)); !slices.Equal(got, want) {
			t.Errorf("kept are %q, want %q", got, want)
		}
	}
	watch := func(path string) <-chan Event {
		t.Helper()
		w, err := s.Watch(bounded(t), space.Path(path))
		if err != nil {
			t.Fatal(err)
		}
		return w.Event
	}
	fires := func(events ...<-chan Event) {
		t.Helper()
		for _, event := range events {
			select {
			case <-event:
			case <-bounded(t).Done():
				t.Fatal("a watch does not fire")
			}
		}
	}
	space.Create("/a", nil, zktest.Persistent)
	space.Create("/b", nil, zktest.Persistent)
	first, second, other := watch("/a"), watch("/a"), watch("/b")
	if _, err := s.Watch(bounded(t), space.Path("/no-such")); !errors.Is(err, ErrNoNode) {
		t.Errorf("want ErrNoNode, got %v", err)
	}
	keeps(space.Path("/a"), space.Path("/b"))
	space.Set("/a", nil)
	fires(first, second)
	keeps(space.Path("/b"))
	first = watch("/a")
	space.Delete("/a")
	fires(first)
	keeps(space.Path("/b"))
	changed := s.Changed()
	s.transport.hangUp()
	fires(other)
	keeps()
	await(t, "the end of the connection", changed)
	other = watch("/b")
	space.Delete("/b")
	fires(other)
	keeps()
}

// An event can come for a watch that was set before, while another is being asked
// for: that one ends with the connection all the same.
func TestAnEventPassesAWatch(t *testing.T) {
	t.Parallel()
	var w watches
	w.begin("/a")
	w.end("/a", true)
	w.begin("/a")
	event := w.lastEvents() // is what an event looks like
	w.see(event[4:])
	w.end("/a", true)
	if len(w.lastEvents()) == 0 {
		t.Error("the second watch was forgotten")
	}
	if len(w.lastEvents()) != 0 {
		t.Error("an ended watch is ended again")
	}
	w.see(event[4 : len(event)-1])
	w.see(nil)
}

// readPackets reads as the client library does.
func readPackets(conn net.Conn) (packets []string, err error) {
	for {
		var length [4]byte
		if _, err := io.ReadFull(conn, length[:]); err != nil {
			return packets, err
		}
		packet := make([]byte, length[3])
		if _, err := io.ReadFull(conn, packet); err != nil {
			return packets, err
		}
		packets = append(packets, string(packet))
	}
}

func TestServersAreTriedInTurn(t *testing.T) {
	t.Parallel()
	var s servers
	var _ zk.HostProvider = &s
	if err := s.Init([]string{"a", "b"}); err != nil || s.Len() != 2 {
		t.Fatalf("%d servers, %v", s.Len(), err)
	}
	next := func(server string, again bool) {
		t.Helper()
		if got, restart := s.Next(); got != server || restart != again {
			t.Errorf("next is %s, %v; want %s, %v", got, restart, server, again)
		}
	}
	next("a", false)
	next("b", false)
	next("a", true) // all have failed
	next("b", false)
	s.Connected()
	next("a", false)
	next("b", false)
	next("a", true)
}
