package holder

import (
	"bytes"
	"encoding/gob"
	"errors"
	"io"
	"net"
	"net/rpc"
	"reflect"
	"sync/atomic"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/run"
)

// FuzzServe feeds the holder's end of the pipe with anything. It never panics, and
// ends when the pipe does; it works for the first run that is named and for no other;
// what it answers is a refusal each time; and nobody is signalled.
func FuzzServe(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Add([]byte{0xf8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	for _, seed := range recordings(f) {
		f.Add(seed)
		f.Add(seed[:len(seed)/2])
		f.Add(append(bytes.Clone(seed), seed...))
	}
	var losses atomic.Int32
	// It answers, but does not go where the input sends it.
	closed := NewLocal(run.Run{}, func(Loss, bool) { losses.Add(1) })
	if err := closed.Close(); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		pipe := &canned{Reader: bytes.NewReader(input)}
		var runs atomic.Int32
		done := make(chan struct{})
		go func() {
			defer close(done)
			serve(pipe, func(ServeArgs) (*Local, error) {
				runs.Add(1)
				return closed, nil
			})
		}()
		await(t, "the end of serve", done)
		if n := runs.Load(); n > 1 {
			t.Errorf("it works for %d runs", n)
		}
		if losses.Load() > 0 || closed.Held() > 0 {
			t.Errorf("%d locks were lost, and %d are held", losses.Load(), closed.Held())
		}
		checkRefusals(t, &pipe.answers)
	})
}

// checkRefusals reads what a holder that has ended has answered.
func checkRefusals(t *testing.T, answers *bytes.Buffer) {
	t.Helper()
	decoder := gob.NewDecoder(answers)
	for {
		var response rpc.Response
		err := decoder.Decode(&response)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal("an answer that nobody can read:", err)
		}
		var outcome Outcome
		switch {
		case response.Error != "", response.ServiceMethod == rpcCancel:
			err = decoder.DecodeValue(reflect.Value{}) // to skip it
		default:
			err = decoder.Decode(&outcome)
		}
		if err != nil {
			t.Fatalf("%s is answered by what nobody can read: %v", response.ServiceMethod, err)
		}
		switch response.ServiceMethod {
		case rpcAcquire, rpcAwait:
			if response.Error == "" && outcome.Failure == nil && outcome.Waiting == nil {
				t.Errorf("%s is granted", response.ServiceMethod)
			}
		case rpcDescribe:
			if response.Error == "" && outcome.Failure == nil {
				t.Errorf("%s is done", response.ServiceMethod)
			}
		}
		if outcome.Grant != (Grant{}) {
			t.Errorf("%s gives %+v", response.ServiceMethod, outcome.Grant)
		}
		_ = outcome.Failure.err()
	}
}

// canned is a pipe out of which comes its reader, and then the end.
type canned struct {
	io.Reader
	answers bytes.Buffer
}

func (c *canned) Write(b []byte) (int, error) { return c.answers.Write(b) }
func (*canned) Close() error                  { return nil }

// recordings are what a provider sends, request by request.
func recordings(f *testing.F) [][]byte {
	f.Helper()
	local := NewLocal(run.Run{}, nil)
	if err := local.Close(); err != nil {
		f.Fatal(err)
	}
	near, far := net.Pipe()
	go serve(far, func(ServeArgs) (*Local, error) { return local, nil })
	recorder := &recorder{Conn: near}
	client := rpc.NewClient(recorder)
	defer func() { _ = client.Close() }()
	var seeds [][]byte
	for _, call := range []struct {
		method      string
		args, reply any
	}{
		{rpcServe, ServeArgs{Run: run.Run{ID: "0011223344556677", PID: 1 << 30, Start: 1, Host: "host"}}, &Outcome{}},
		{rpcAcquire, AcquireArgs{Ticket: Ticket{1}}, &Outcome{}},
		{rpcAwait, AwaitArgs{Ticket: Ticket{1}}, &Outcome{}},
		{rpcCancel, Ticket{1}, &Nothing{}},
		{rpcRelease, Znode{Path: "/a/b"}, &Outcome{}},
		{rpcRelease, Znode{Path: "/a/b", Durable: true}, &Outcome{}},
		{rpcDescribe, DescribeArgs{Info: "info"}, &Outcome{}},
		{rpcName + ".None", Nothing{}, &Nothing{}},
	} {
		_ = client.Call(call.method, call.args, call.reply)
		seeds = append(seeds, bytes.Clone(recorder.sent.Bytes()))
	}
	return seeds
}

type recorder struct {
	net.Conn
	sent bytes.Buffer
}

func (r *recorder) Write(b []byte) (int, error) {
	r.sent.Write(b)
	return r.Conn.Write(b)
}
