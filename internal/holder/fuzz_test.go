package holder

import (
	"bytes"
	"io"
	"net"
	"net/rpc"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/run"
)

// FuzzServe feeds the holder's end of the pipe with anything: it never panics,
// and ends when the pipe does.
func FuzzServe(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Add([]byte{0xf8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	for _, seed := range recordings(f) {
		f.Add(seed)
		f.Add(seed[:len(seed)/2])
		f.Add(append(bytes.Clone(seed), seed...))
	}
	// It answers, but does not go where the input sends it.
	closed := NewLocal(run.Run{}, nil)
	if err := closed.Close(); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			serve(&canned{Reader: bytes.NewReader(input)}, func(run.Run) (*Local, error) { return closed, nil })
		}()
		await(t, "the end of serve", done)
	})
}

// canned is a pipe out of which comes its reader, and then the end.
type canned struct{ io.Reader }

func (*canned) Write(b []byte) (int, error) { return len(b), nil }
func (*canned) Close() error                { return nil }

// recordings are what a provider sends, request by request.
func recordings(f *testing.F) [][]byte {
	f.Helper()
	local := NewLocal(run.Run{}, nil)
	if err := local.Close(); err != nil {
		f.Fatal(err)
	}
	near, far := net.Pipe()
	go serve(far, func(run.Run) (*Local, error) { return local, nil })
	recorder := &recorder{Conn: near}
	client := rpc.NewClient(recorder)
	defer func() { _ = client.Close() }()
	var seeds [][]byte
	for _, call := range []struct {
		method      string
		args, reply any
	}{
		{rpcServe, ServeArgs{run.Run{ID: "0011223344556677", PID: 1 << 30, Start: 1, Host: "host"}}, &Outcome{}},
		{rpcAcquire, AcquireArgs{Ticket: Ticket{1}}, &Outcome{}},
		{rpcAwait, Ticket{1}, &Outcome{}},
		{rpcCancel, Ticket{1}, &Nothing{}},
		{rpcRelease, Znode{Path: "/a/b"}, &Outcome{}},
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
