// SPDX-License-Identifier: MPL-2.0

package holder

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/run"
)

// FuzzServe feeds the server's end of a connection with anything. It never panics,
// and ends when the connection does; what it answers is a refusal each time, behind a
// word for the right run; and nobody is signalled.
func FuzzServe(f *testing.F) {
	const runID = "0011223344556677"
	hello := message{Op: opHello, Run: runID}
	f.Add([]byte{})
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Add([]byte{0xf8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Add(recorded(f, message{Op: opHello, Run: "another"}))
	all := []message{hello}
	for _, m := range []message{
		{ID: 1, Op: opAcquire, Request: &Request{}},
		{ID: 1, Op: opAcquire, Request: &Request{Interrupt: true}},
		{ID: 1, Op: opTaken},
		{ID: 1, Op: opCancel},
		{ID: 2, Op: opRelease, Znode: &Znode{Path: "/a/b", Grant: "grant"}},
		{ID: 3, Op: opRelease, Znode: &Znode{Path: "/a/b", Durable: true}},
		{ID: 4, Op: opDescribe, Znode: &Znode{Path: "/a/b"}, Info: "info"},
		{Op: opStopping},
		{ID: 5, Op: opPing},
		{ID: 6, Op: 99},
	} {
		all = append(all, m)
		seed := recorded(f, hello, m)
		f.Add(seed)
		f.Add(seed[:len(seed)-1])
	}
	f.Add(recorded(f, all...))
	var losses atomic.Int32
	// It answers, but does not go where the input sends it.
	closed := NewLocal(run.Run{}, func(Loss, bool) { losses.Add(1) })
	if err := closed.Close(); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		conn := &canned{Reader: bytes.NewReader(input)}
		s := newServer(runID, closed, newInterrupter(order{}, silent()), silent())
		done := make(chan struct{})
		go func() {
			defer close(done)
			s.serve(conn)
		}()
		await(t, "the end of serve", done)
		if losses.Load() > 0 || closed.Held() > 0 {
			t.Errorf("%d locks were lost, and %d are held", losses.Load(), closed.Held())
		}
		if s.users != 0 {
			t.Errorf("there are %d users left", s.users)
		}
		l := newLink(&canned{Reader: &conn.answers})
		for {
			var a answer
			err := l.receive(&a)
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				t.Fatal("an answer that nobody can read:", err)
			}
			if a.Grant != (Grant{}) {
				t.Errorf("it gives %+v", a.Grant)
			}
			_ = a.Failure.err()
		}
	})
}

// canned is a connection out of which comes its reader, and then the end.
type canned struct {
	net.Conn
	io.Reader
	answers bytes.Buffer
}

func (c *canned) Read(b []byte) (int, error)     { return c.Reader.Read(b) }
func (c *canned) Write(b []byte) (int, error)    { return c.answers.Write(b) }
func (*canned) Close() error                     { return nil }
func (*canned) SetReadDeadline(time.Time) error  { return nil }
func (*canned) SetWriteDeadline(time.Time) error { return nil }
