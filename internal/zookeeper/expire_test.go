// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

func TestExpiryIsForGood(t *testing.T) {
	t.Parallel()
	server := zktest.Own(t, zktest.Options{})
	space := zktest.NewSpaceOn(t, server)
	// Thrice the same one: the library rests before it tries a list again.
	s := open(t, config(server.Addr(), server.Addr(), server.Addr()))
	id := s.ID()
	mustCreate(t, s, space.Path("/a"), Ephemeral)

	expire(t, s)
	await(t, "the loss", s.Lost())
	if !errors.Is(s.Err(), ErrSessionExpired) {
		t.Errorf("the session ended by %v", s.Err())
	}
	space.WaitGone("/a")
	if _, err := s.Stat(bounded(t), "/"); !errors.Is(err, ErrSessionExpired) || Answered(err) {
		t.Errorf("a request on an expired session: %v", err)
	}
	if err := s.Ready(bounded(t)); !errors.Is(err, ErrSessionExpired) {
		t.Errorf("an expired session is ready: %v", err)
	}

	// A new session would be there after a millisecond, and this takes many.
	for range 200 {
		space.Exists("/a")
	}
	if n := sessions(t, server); n != 1 {
		t.Errorf("there are %d sessions, want the test's own alone", n)
	}
	if s.ID() != id {
		t.Errorf("session %#x has become %#x", id, s.ID())
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if !errors.Is(s.Err(), ErrSessionExpired) {
		t.Errorf("after Close the session has ended by %v", s.Err())
	}
}

// The server can say so in the answer to a request, before it hangs up.
func TestExpiryAsAnAnswerEndsTheSession(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	s := open(t, config(space.Addr()))
	_, err := call(bounded(t), s, "stat", "/", func() (int, error) { return 1, ErrSessionExpired })
	if !errors.Is(err, ErrSessionExpired) {
		t.Errorf("want ErrSessionExpired, got %v", err)
	}
	await(t, "the loss", s.Lost())
	if !errors.Is(s.Err(), ErrSessionExpired) {
		t.Errorf("the session ended by %v", s.Err())
	}
}

func TestExpiryEndsRequestsAndWatches(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	s := open(t, config(space.Addr()))
	watch, err := s.Watch(bounded(t), space.Path("/"))
	if err != nil {
		t.Fatal(err)
	}
	hang := make(chan struct{})
	defer close(hang)
	failed := make(chan error, 1)
	go func() {
		_, err := call(t.Context(), s, "hang", "/", func() (int, error) { <-hang; return 0, nil })
		failed <- err
	}()
	expire(t, s)
	select {
	case <-watch.Event:
	case <-bounded(t).Done():
		t.Error("a watch outlives its session")
	}
	select {
	case err := <-failed:
		if !errors.Is(err, ErrSessionExpired) {
			t.Errorf("a request that hangs ended by %v", err)
		}
	case <-bounded(t).Done():
		t.Error("a request outlives its session")
	}
}

// expire makes the server end s: another connection takes the session over and
// closes it, as nobody else can.
func expire(t *testing.T, s *Session) {
	t.Helper()
	id := s.ID()
	// The client would take it back at once.
	s.transport.mu.Lock()
	defer s.transport.mu.Unlock()
	password := reflect.ValueOf(s.conn).Elem().FieldByName("passwd").Bytes() // 16 bytes
	conn, err := net.Dial("tcp", s.conn.Server())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := ask(conn, int32(0), int64(0), int32(10_000), id, uint32(16), password); err != nil {
		t.Fatal("take the session over:", err)
	}
	const closeSession = int32(-11)
	if _, err := ask(conn, int32(1), closeSession); err != nil {
		t.Fatal("close the session:", err)
	}
}

// ask sends a packet and returns the next one that comes.
func ask(conn net.Conn, fields ...any) ([]byte, error) {
	var packet bytes.Buffer
	for _, field := range fields {
		if err := binary.Write(&packet, binary.BigEndian, field); err != nil {
			return nil, err
		}
	}
	if err := binary.Write(conn, binary.BigEndian, uint32(packet.Len())); err != nil { //nolint:gosec // a few bytes
		return nil, err
	}
	if _, err := conn.Write(packet.Bytes()); err != nil {
		return nil, err
	}
	var length int32
	if err := binary.Read(conn, binary.BigEndian, &length); err != nil {
		return nil, err
	}
	answer := make([]byte, length)
	_, err := io.ReadFull(conn, answer)
	return answer, err
}

// sessions counts those that the server keeps.
func sessions(t *testing.T, server *zktest.Server) int {
	t.Helper()
	stats, err := server.Stats(bounded(t))
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(stats["zk_global_sessions"])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func mustCreate(t *testing.T, s *Session, path string, kind int32) string {
	t.Helper()
	created, err := s.Create(bounded(t), path, nil, kind)
	if err != nil {
		t.Fatal(err)
	}
	return created
}

// A server that has lost its data refuses a client that has seen newer ones before it
// says anything about the session.
func TestSessionWithoutConnectionIsOver(t *testing.T) {
	t.Parallel()
	server := zktest.Own(t, zktest.Options{})
	cfg := config(server.Addr())
	cfg.SessionTimeout = 2 * time.Second
	var pool Pool
	defer pool.Close()
	s, err := pool.Session(bounded(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	mustCreate(t, s, "/a", Ephemeral)
	if err := server.Empty(bounded(t)); err != nil {
		t.Fatal(err)
	}
	await(t, "the loss", s.Lost())
	if !errors.Is(s.Err(), ErrSessionExpired) {
		t.Errorf("the session ended by %v", s.Err())
	}
	fresh, err := pool.Session(bounded(t), cfg)
	if err != nil || fresh == s {
		t.Fatalf("the pool gives %p for %p, %v", fresh, s, err)
	}
	mustCreate(t, fresh, "/a", Ephemeral)
}
