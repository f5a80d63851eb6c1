package holder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/rpc"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// served is the other end of a pipe on which local is served, and a channel that
// is closed when serve has returned.
func served(t *testing.T, local *Local) (near net.Conn, ended <-chan struct{}) {
	t.Helper()
	near, far := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		serve(far, func(ServeArgs) (*Local, error) { return local, nil })
	}()
	t.Cleanup(func() {
		_ = near.Close()
		await(t, "the end of serve", done)
	})
	return near, done
}

// overPipe is a Process whose other end is local.
func overPipe(t *testing.T, local *Local) *Process {
	t.Helper()
	p, _, _ := overOpenPipe(t, local)
	return p
}

// overOpenPipe is the same, with its end of the pipe and the end of serve.
func overOpenPipe(t *testing.T, local *Local) (p *Process, near net.Conn, ended <-chan struct{}) {
	t.Helper()
	near, ended = served(t, local)
	p = NewProcess(local.run)
	p.client = rpc.NewClient(near)
	t.Cleanup(func() { _ = p.Close() })
	var outcome Outcome
	if err := p.client.Call(rpcServe, ServeArgs{Run: local.run}, &outcome); err != nil || outcome.Failure != nil {
		t.Fatal(err, outcome.Failure.err())
	}
	return p, near, ended
}

func TestServiceHoldsAndReleases(t *testing.T) {
	space := zktest.NewSpace(t)
	local := newLocal(t, self(t))
	p := overPipe(t, local)
	req := request(t, space, "a", 0)
	grant := take(t, p, req)
	if local.Held() != 1 || !space.Exists(grant.Znode[len(space.Chroot()):]) {
		t.Fatalf("%d held, there is %q", local.Held(), space.Tree())
	}
	for range 2 {
		if err := p.Release(t.Context(), Znode{Ensemble: req.Ensemble, Path: grant.Znode}); err != nil {
			t.Error("release:", err)
		}
	}
	if local.Held() != 0 || space.Exists(dir("a")) {
		t.Errorf("%d held, there is %q", local.Held(), space.Tree())
	}
}

// An error is the same, to those who tell errors apart, whether the holder is in
// this process or behind the pipe.
func TestServiceErrorsAreThoseOfTheHolder(t *testing.T) {
	space := zktest.NewSpace(t)
	direct := newLocal(t, self(t))
	piped := overPipe(t, newLocal(t, self(t)))
	other := newLocal(t, otherRun(t))
	busyReq, ownReq := request(t, space, "busy", 0), request(t, space, "own", 0)
	busyReq.Lock.Wait = time.Millisecond
	busyGrant := take(t, other, busyReq)
	ownGrant := take(t, direct, ownReq)
	nowhere := request(t, space, "nowhere", 0)
	nowhere.Ensemble.Servers, nowhere.Ensemble.ConnectTimeout = []string{"127.0.0.1:1"}, 100*time.Millisecond

	for name, h := range map[string]Holder{"direct": direct, "piped": piped} {
		t.Run(name, func(t *testing.T) {
			_, err := h.Acquire(t.Context(), busyReq)
			var busy *locker.BusyError
			if !errors.As(err, &busy) || !errors.Is(err, locker.ErrBusy) || !strings.Contains(err.Error(), busyGrant.Znode) {
				t.Fatalf("a busy lock: %v", err)
			}
			if h := busy.Holders[0]; busy.LockID != "busy" || busy.Place != 1 || busy.Waited != time.Millisecond || busy.Dir != busyReq.Lock.Dir ||
				h.Znode != busyGrant.Znode || h.Owner != "tester" || h.Info != "testing busy" || h.Host == "" || h.PID == 0 || h.Since.IsZero() || h.Session == 0 {
				t.Errorf("the busy lock's error is %+v", busy)
			}

			_, err = h.Acquire(t.Context(), ownReq)
			var own *locker.OwnRunError
			if !errors.As(err, &own) || !errors.Is(err, locker.ErrOwnRun) || own.LockID != "own" || own.Other.Znode != ownGrant.Znode {
				t.Errorf("the own run's lock: %v, %+v", err, own)
			}

			_, err = h.Acquire(t.Context(), nowhere)
			var connect *zookeeper.ConnectError
			if !errors.As(err, &connect) || connect.Servers[0] != "127.0.0.1:1" || !strings.Contains(connect.Cause.Error(), "refused") {
				t.Errorf("nowhere: %v, %+v", err, connect)
			}

			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err = h.Acquire(ctx, busyReq); !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled before it began: %v", err)
			}
		})
	}
}

// Each kind of error that callers tell apart goes over the pipe and comes out
// with its content.
func TestFailureKeepsTheKind(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	entry := locker.Entry{
		Contender: locker.Contender{Name: "ex-1__lock__0000000007", Sequence: 7, Mode: locker.Exclusive},
		Data:      locker.Data{Version: 1, Owner: "o", Info: "i", Run: "r", Host: "h", PID: 1, Client: "c", Since: at},
		Znode:     "/x/ex-1__lock__0000000007",
		Created:   at,
		Session:   9,
	}
	near, far := net.Pipe()
	service := &echo{}
	server := rpc.NewServer()
	if err := server.RegisterName("Echo", service); err != nil {
		t.Fatal(err)
	}
	go server.ServeConn(far)
	client := rpc.NewClient(near)
	defer func() { _ = client.Close() }()

	for _, err := range []error{
		&locker.BusyError{LockID: "l", Dir: "/x", Waited: time.Second, Place: 3, Holders: []locker.Entry{entry, entry}},
		&locker.OwnRunError{LockID: "l", Other: entry},
		&locker.DisagreeError{},
		&LostError{Loss{LockID: "l", Znode: "/x/y", At: at, Cause: "because"}},
		&zookeeper.ConnectError{Servers: []string{"a:1", "b:2"}, Cause: errors.New("refused"), Hint: "hint"},
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
			service.err = wrapped
			var outcome Outcome
			if err := client.Call("Echo.Fail", Nothing{}, &outcome); err != nil {
				t.Fatal(err)
			}
			got := outcome.Failure.err()
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

// echo fails as it is told.
type echo struct{ err error }

func (e *echo) Fail(_ Nothing, outcome *Outcome) error {
	outcome.Failure = newFailure(e.err)
	return nil
}

func TestServiceWithoutARun(t *testing.T) {
	near, _ := served(t, newLocal(t, self(t)))
	client := rpc.NewClient(near)
	defer func() { _ = client.Close() }()
	for method, args := range map[string]any{
		rpcAcquire: AcquireArgs{}, rpcRelease: Znode{}, rpcDescribe: DescribeArgs{},
	} {
		reply := map[string]any{rpcAcquire: &Outcome{}, rpcRelease: &Outcome{}, rpcDescribe: &Outcome{}}[method]
		if err := client.Call(method, args, reply); err == nil || err.Error() != errNotServing.Error() {
			t.Errorf("%s before a run was named: %v", method, err)
		}
	}
	for i := range 2 {
		var outcome Outcome
		if err := client.Call(rpcServe, ServeArgs{}, &outcome); (err == nil) != (i == 0) {
			t.Errorf("naming a run for the %d. time: %v", i+1, err)
		}
	}
}

// A ticket that nobody has, or that has been used, harms nobody.
func TestServiceUnknownTicket(t *testing.T) {
	space := zktest.NewSpace(t)
	p := overPipe(t, newLocal(t, self(t)))
	take(t, p, request(t, space, "a", 0))
	for _, id := range []uint64{0, 1, 99} {
		if err := p.client.Call(rpcCancel, Ticket{id}, &Nothing{}); err != nil {
			t.Errorf("cancel of ticket %d: %v", id, err)
		}
		if err := p.client.Call(rpcAwait, Ticket{id}, &Outcome{}); err == nil {
			t.Errorf("ticket %d could be awaited", id)
		}
	}
	take(t, p, request(t, space, "b", 0))
}

// A ticket is for one acquire at a time.
func TestServiceTicketUsedTwice(t *testing.T) {
	space := zktest.NewSpace(t)
	req := request(t, space, "a", locker.NoLimit)
	take(t, newLocal(t, otherRun(t)), req)
	p := overPipe(t, newLocal(t, self(t)))
	args := AcquireArgs{Ticket{7}, req}
	var outcome Outcome
	if err := p.client.Call(rpcAcquire, args, &outcome); err != nil || outcome.Waiting == nil {
		t.Fatalf("the first acquire: %+v, %v", outcome, err)
	}
	if err := p.client.Call(rpcAcquire, args, &Outcome{}); err == nil {
		t.Error("the same ticket was taken for another acquire")
	}
	space.WaitChildren(dir("a"), 2)
	if err := p.client.Call(rpcCancel, Ticket{7}, &Nothing{}); err != nil {
		t.Fatal(err)
	}
	if err := p.client.Call(rpcAwait, AwaitArgs{Ticket: Ticket{7}, Queued: true}, &outcome); err != nil {
		t.Fatal(err)
	}
	if err := outcome.Failure.err(); !errors.Is(err, context.Canceled) {
		t.Errorf("the acquire ended with %v", err)
	}
	space.WaitChildren(dir("a"), 1)
}

func TestServiceCancelLeavesTheQueue(t *testing.T) {
	space := zktest.NewSpace(t)
	req := request(t, space, "a", locker.NoLimit)
	take(t, newLocal(t, otherRun(t)), req)
	p := overPipe(t, newLocal(t, self(t)))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := p.Acquire(ctx, req)
		done <- err
	}()
	space.WaitChildren(dir("a"), 2)
	cancel()
	if err := await(t, "the end of a cancelled acquire", done); !errors.Is(err, context.Canceled) {
		t.Errorf("the cancelled acquire: %v", err)
	}
	space.WaitChildren(dir("a"), 1)
	take(t, p, request(t, space, "b", 0))
}

// What ends the pipe, or comes out of it, ends what waits and nothing else.
func TestServiceEndsWithThePipe(t *testing.T) {
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
			p, near, ended := overOpenPipe(t, local)
			take(t, p, request(t, space, "held", 0))
			blocked := request(t, space, "blocked", locker.NoLimit)
			take(t, newLocal(t, otherRun(t)), blocked)
			waiting := begin(t, p, blocked)
			space.WaitChildren(dir("blocked"), 2)

			end(near)
			await(t, "the end of serve", ended)
			if r := await(t, "the end of an acquire", waiting); !errors.Is(r.err, ErrEnded) {
				t.Errorf("the waiting acquire: %v, want %v", r.err, ErrEnded)
			}
			if n := len(space.Children(dir("blocked"))); n != 1 {
				t.Errorf("the queue has %d contenders when serve has returned, want the other's", n)
			}
			if local.Held() != 1 || len(space.Children(dir("held"))) != 1 {
				t.Errorf("%d held", local.Held())
			}
		})
	}
}
