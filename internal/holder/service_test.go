// SPDX-License-Identifier: MPL-2.0

package holder

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// served is the other end of a connection on which a server with local answers, and
// a channel that is closed when it has hung up.
func served(t *testing.T, local *Local) (near net.Conn, ended <-chan struct{}) {
	t.Helper()
	near, far := net.Pipe()
	s := newServer(local.run.ID, local, newInterrupter(order{Run: local.run}, silent()), silent())
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { _ = far.Close() }()
		s.serve(far)
	}()
	t.Cleanup(func() {
		_ = near.Close()
		await(t, "the end of the connection", done)
	})
	return near, done
}

// connected is a Process whose holder is local.
func connected(t *testing.T, local *Local) (p *Remote, near net.Conn, ended <-chan struct{}) {
	t.Helper()
	near, ended = served(t, local)
	p = NewRemote(local.run)
	r, err := hello(near, message{Op: opHello, Run: local.run.ID, Passive: true}, p.pulse, p.note)
	if err != nil {
		t.Fatal(err)
	}
	p.connection = r
	t.Cleanup(func() { _ = p.Close() })
	return p, near, ended
}

// Each kind of error that callers tell apart comes out of the socket with its content.
func TestFailureKeepsTheKind(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	entry := locker.Entry{
		Contender: locker.Contender{Name: "ex-1__lock__0000000007", Sequence: 7, Mode: locker.Exclusive},
		Data:      locker.Data{Version: 1, Owner: "o", Info: "i", Run: "r", Host: "h", PID: 1, Client: "c", Since: at},
		Znode:     "/x/ex-1__lock__0000000007",
		Created:   at,
		Session:   9,
	}
	loss := Loss{LockID: "l", Znode: "/x/y", At: at, Cause: "because"}
	near, far := net.Pipe()
	defer func() { _ = near.Close(); _ = far.Close() }()
	writer, reader := newLink(far), newLink(near)
	for _, err := range []error{
		&locker.BusyError{LockID: "l", Dir: "/x", Waited: time.Second, Place: 3, Holders: []locker.Entry{entry, entry}},
		&locker.LeftError{Znode: "/x/y", Durable: true, Err: text("refused")},
		&locker.DisagreeError{},
		&LostError{loss},
		&InterruptedError{loss},
		&ConflictError{LockID: "l", Held: "this", Asked: "that"},
		&zookeeper.ConnectError{Servers: []string{"a:1", "b:2"}, Cause: text("refused"), Hint: "hint"},
		context.Canceled,
		ErrEnded,
		zookeeper.ErrNoAuth,
		zookeeper.ErrAuthRequired,
		zookeeper.ErrInvalidACL,
		locker.ErrNotDurable,
		locker.ErrNotReserved,
		locker.ErrRequest,
	} {
		t.Run(fmt.Sprintf("%T %v", err, err), func(t *testing.T) {
			wrapped := fmt.Errorf("locker: some lock: %w", err)
			sent := make(chan error, 1)
			go func() { sent <- writer.send(answer{Failure: newFailure(wrapped)}) }()
			var a answer
			if err := errors.Join(reader.receive(&a), <-sent); err != nil {
				t.Fatal(err)
			}
			got := a.Failure.err()
			if got.Error() != wrapped.Error() {
				t.Errorf("the message is %q, want %q", got, wrapped)
			}
			kind := reflect.New(reflect.TypeOf(err))
			switch {
			case reflect.TypeOf(err).Implements(reflect.TypeFor[interface{ Is(error) bool }]()), !errors.Is(got, err):
				if !errors.As(got, kind.Interface()) || !reflect.DeepEqual(kind.Elem().Interface(), err) {
					t.Errorf("it comes out as %#v, want %#v", kind.Elem().Interface(), err)
				}
			}
		})
	}
}

// Who does not name the run gets no answer.
func TestServerOfAnotherRun(t *testing.T) {
	for name, first := range map[string]message{
		"another run": {Op: opHello, Run: "0011223344556677"},
		"no run":      {Op: opAcquire, Request: &Request{}},
	} {
		t.Run(name, func(t *testing.T) {
			near, ended := served(t, newLocal(t, self(t)))
			l := newLink(near)
			if err := l.send(first); err != nil {
				t.Fatal(err)
			}
			await(t, "the end of the connection", ended)
			if err := l.receive(&answer{}); err == nil {
				t.Error("it answers")
			}
		})
	}
}

// Messages about calls that nobody has made, or that have ended, harm nobody.
func TestServerUnknownCall(t *testing.T) {
	space := zktest.NewSpace(t)
	p, _, _ := connected(t, newLocal(t, self(t)))
	take(t, p, request(t, space, "a", 0))
	for _, id := range []uint64{0, 1, 99} {
		for _, op := range []op{opCancel, opTaken} {
			if err := p.connection.send(message{ID: id, Op: op}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, m := range []message{{Op: 200}, {Op: opAcquire}, {Op: opRelease}, {Op: opDescribe}, {Op: opHello}} {
		if _, err := p.connection.ask(t.Context(), m); err == nil {
			t.Errorf("%+v was done", m)
		}
	}
	take(t, p, request(t, space, "b", 0))
}

// An acquire is cancelled, and the holder does not answer in time. The grant that comes after
// that is nobody's, and is given back.
func TestGrantThatComesTooLateIsGivenBack(t *testing.T) {
	t.Parallel()
	near, far := net.Pipe()
	h := newLink(far)
	greeting := make(chan error, 1)
	go func() { greeting <- errors.Join(h.receive(&message{}), h.send(answer{PID: 1})) }()
	p := NewRemote(self(t))
	r, err := hello(near, message{Op: opHello, Run: p.order.Run.ID}, p.pulse, p.note)
	if err := errors.Join(err, <-greeting); err != nil {
		t.Fatal(err)
	}
	p.connection = r
	defer func() { _ = p.Close() }()
	messages := make(chan message, 100)
	go func() {
		defer close(messages)
		for {
			var m message
			if h.receive(&m) != nil {
				return
			}
			messages <- m
		}
	}()
	next := func(op op) message {
		t.Helper()
		for {
			if m := await(t, "a message", messages); m.Op == op || m.Op == 0 {
				return m
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := p.Acquire(ctx, Request{})
		ended <- err
	}()
	acquire := next(opAcquire)
	cancel()
	if err := await(t, "the end of a cancelled acquire", ended); !errors.As(err, new(*SilentError)) {
		t.Errorf("it ended with %v", err)
	}
	if err := h.send(answer{ID: acquire.ID, Grant: Grant{ID: "late", Znode: "/a"}}); err != nil {
		t.Fatal(err)
	}
	if m := next(opRelease); m.Znode == nil || m.Znode.Grant != "late" {
		t.Errorf("no grant is given back: %+v", m)
	}
}

// What ends the connection, or comes out of it, ends what waits and nothing else.
func TestServerEndsWithTheConnection(t *testing.T) {
	for name, end := range map[string]func(near net.Conn){
		"closed":  func(near net.Conn) { _ = near.Close() },
		"garbage": func(near net.Conn) { _, _ = io.WriteString(near, "GET / HTTP/1.1\r\n\r\n"); _ = near.Close() },
		"a length beyond all bounds": func(near net.Conn) {
			_, _ = near.Write([]byte{0xf8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
			_ = near.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			space := zktest.NewSpace(t)
			local := newLocal(t, self(t))
			p, near, ended := connected(t, local)
			take(t, p, request(t, space, "held", 0))
			blocked := request(t, space, "blocked", locker.NoLimit)
			take(t, newLocal(t, otherRun(t)), blocked)
			waiting := begin(t, p, blocked)
			space.WaitChildren(dir("blocked"), 2)

			end(near)
			await(t, "the end of the connection", ended)
			if r := await(t, "the end of an acquire", waiting); !errors.Is(r.err, ErrEnded) {
				t.Errorf("the waiting acquire: %v, want %v", r.err, ErrEnded)
			}
			if n := len(space.Children(dir("blocked"))); n != 1 {
				t.Errorf("the queue has %d contenders when the connection has ended, want the other's", n)
			}
			if local.Held() != 1 || len(space.Children(dir("held"))) != 1 {
				t.Errorf("%d held", local.Held())
			}
		})
	}
}

// A request without an end is not read to it. It ends the connection, and no lock.
func TestServerHangsUpOnAMessageThatIsTooLong(t *testing.T) {
	space := zktest.NewSpace(t)
	local := newLocal(t, self(t))
	p, _, ended := connected(t, local)
	take(t, p, request(t, space, "held", 0))
	long := request(t, space, "long", 0)
	long.Ensemble.TLS = &zookeeper.TLS{CA: strings.Repeat("x", maxMessage)}
	if _, err := p.Acquire(t.Context(), long); !errors.Is(err, ErrEnded) {
		t.Errorf("the acquire: %v, want %v", err, ErrEnded)
	}
	await(t, "the end of the connection", ended)
	if local.Held() != 1 || len(space.Children(dir("held"))) != 1 {
		t.Errorf("%d held", local.Held())
	}
}

// recorded are messages as they go over the socket.
func recorded(t testing.TB, messages ...message) []byte {
	t.Helper()
	var all strings.Builder
	encoder := gob.NewEncoder(&all)
	for _, m := range messages {
		if err := encoder.Encode(m); err != nil {
			t.Fatal(err)
		}
	}
	return []byte(all.String())
}
