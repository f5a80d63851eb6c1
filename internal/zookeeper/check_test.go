// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// hostile is a server that answers what it likes. It counts the connections.
type hostile struct {
	hello  string                                // to the request to connect, with its length
	answer func(xid, kind int32) (packet string) // to each request, without its length
}

// listen starts it, and returns its address.
func (h hostile) listen(tb testing.TB) string {
	tb.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(loopback, "0"))
	if err != nil {
		tb.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer func() { _ = conn.Close() }()
				h.serve(conn)
			})
		}
	})
	tb.Cleanup(func() {
		_ = listener.Close()
		serving.Wait()
	})
	return listener.Addr().String()
}

func (h hostile) serve(conn io.ReadWriter) {
	for first := true; ; first = false {
		var length uint32
		if binary.Read(conn, binary.BigEndian, &length) != nil || length > maxHandshake {
			return
		}
		request := make([]byte, length)
		if _, err := io.ReadFull(conn, request); err != nil {
			return
		}
		answer := h.hello
		if !first {
			packet := h.answer(number(request), number(request[4:]))
			answer = string(withNumber(nil, len(packet))) + packet
		}
		if _, err := io.WriteString(conn, answer); err != nil {
			return
		}
	}
}

// reply is a packet: an answer's header, and numbers and texts behind it.
func reply(xid, code int32, body ...any) string {
	packet := append(withNumber(nil, int(xid)), make([]byte, 8)...)
	packet = withNumber(packet, int(code))
	for _, field := range body {
		switch field := field.(type) {
		case int:
			packet = withNumber(packet, field)
		case string:
			packet = append(packet, field...)
		}
	}
	return string(packet)
}

var noStat = strings.Repeat("\x00", 68)

// packets are answers that have to be told apart: none of them may crash us.
var packets = map[string]struct {
	kind int32
	body []any
	good bool
}{
	"children":                        {12, []any{1, 1, "a", noStat}, true},
	"no children":                     {12, []any{0, noStat}, true},
	"children and more":               {12, []any{0, noStat, "newer fields"}, true},
	"children without a stat":         {12, []any{0}, false},
	"2^31 children":                   {12, []any{math.MinInt32, noStat}, false},
	"2^32 - 1 children":               {12, []any{-1, noStat}, false},
	"as many children as bytes":       {12, []any{72, noStat, 1}, false},
	"a child of 2^32 - 1 bytes":       {12, []any{1, -1, noStat}, false},
	"a child of more bytes than come": {12, []any{1, 1000, noStat}, false},
	"data":                            {4, []any{1, "x", noStat}, true},
	"no data":                         {4, []any{-1, noStat}, true},
	"2^31 - 1 bytes of data":          {4, []any{math.MaxInt32, noStat}, false},
	"data of -2 bytes":                {4, []any{-2, noStat}, false},
	"an ACL":                          {6, []any{1, 31, 5, "world", 6, "anyone", noStat}, true},
	"an ACL of 2^31 entries":          {6, []any{math.MinInt32, noStat}, false},
	"an ACL that ends too early":      {6, []any{2, 31, 5, "world", 6, "anyone"}, false},
	"a path":                          {1, []any{2, "/a"}, true},
	"half a path":                     {1, []any{3, "/a"}, false},
	"half a stat":                     {3, []any{noStat[:40]}, false},
	"nothing, as wanted":              {2, nil, true},
	"nothing":                         {12, nil, false},
	"a multi":                         {14, []any{1, "\x00", 0, 2, "/a", -1, "\x01", -1}, true},
	"a multi that fails":              {14, []any{-1, "\x00", -110, -110, -1, "\x01", -1}, true},
	"a multi of nothing":              {14, []any{-1, "\x01", -1}, true},
	"a multi without an end":          {14, []any{1, "\x00", 0, 2, "/a"}, false},
	"a multi that ends in a header":   {14, []any{1, "\x00", 0, 2, "/a", -1}, false},
	"a multi of what is not asked":    {14, []any{15, "\x00", 0, 2, "/a", -1, "\x01", -1}, false},
	"an empty multi":                  {14, nil, false},
	"of an unknown kind":              {99, nil, false},
}

func TestAnswersAreChecked(t *testing.T) {
	t.Parallel()
	for name, test := range packets {
		var c checker
		c.sent([]byte(reply(7, 0)[:0] + string(withNumber(withNumber(withNumber(nil, 8), 7), int(test.kind)))))
		packet := []byte(reply(7, 0, test.body...))
		if err := c.check(packet); (err == nil) != test.good || err != nil && !errors.Is(err, errPacket) {
			t.Errorf("%s: %v", name, err)
		}
		if err := c.check(packet); !errors.Is(err, errPacket) {
			t.Errorf("%s: the second answer to a request: %v", name, err)
		}
	}
	for name, test := range map[string]struct {
		packet string
		good   bool
	}{
		"a ping":                 {pong[4:], true},
		"an event":               {reply(-1, 0, 1, 3, 2, "/a"), true},
		"an event without path":  {reply(-1, 0, 1, 3), false},
		"half an event":          {reply(-1, 0, 1, 3, 3, "/a"), false},
		"an event's great path":  {reply(-1, 0, 1, 3, -1), false},
		"nothing":                {"", false},
		"half a header":          {pong[4:19], false},
		"an unknown xid":         {reply(9, 0), false},
		"an unknown negative":    {reply(-3, 0), false},
		"an authentication late": {reply(-4, 0), false},
	} {
		var c checker
		if err := c.check([]byte(test.packet)); (err == nil) != test.good || err != nil && !errors.Is(err, errPacket) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var c checker
	c.sent([]byte("short"))
	c.sent([]byte(pong)) // of which no answer is kept
	if len(c.kinds) != 0 {
		t.Errorf("kept are %v", c.kinds)
	}
}

// Whatever a server answers, requests come to an end with an error, and the process
// lives on.
func TestHostileServers(t *testing.T) {
	t.Parallel()
	for name, test := range packets {
		if test.good && !strings.HasPrefix(name, "a multi of nothing") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := hostile{hello: string(connectResponse(10*time.Second, 7)), answer: func(xid, _ int32) string {
				return reply(xid, 0, test.body...)
			}}.listen(t)
			s := open(t, config(addr))
			// Reads are sent again for as long as that.
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			var err error
			switch test.kind {
			case 1:
				_, err = s.Create(ctx, "/a", nil, Persistent)
			case 3:
				_, err = s.Stat(ctx, "/a")
			case 4:
				_, err = s.Get(ctx, "/a")
			case 6:
				_, err = s.Access(ctx, "/a")
			case 14:
				_, err = s.Multi(ctx, Create("/a", nil, Persistent))
			default:
				_, err = s.Children(ctx, "/a")
			}
			if err == nil || Answered(err) {
				t.Errorf("the request ends by %v", err)
			}
		})
	}
}

// What a server grants has to make sense: the library panics at a timeout of zero.
func TestHostileHandshakes(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	for name, hello := range map[string]string{
		"no timeout":          string(connectResponse(0, 7)),
		"a negative timeout":  string(connectResponse(-ms, 7)),
		"a short timeout":     string(connectResponse(ms, 7)),
		"the longest timeout": string(connectResponse(math.MaxInt32*ms, 7)),
		"no password":         strings.Replace(string(connectResponse(time.Second, 7)), "\x00\x00\x00\x10", "\x00\x00\x00\x00", 1),
		"a great password":    strings.Replace(string(connectResponse(time.Second, 7)), "\x00\x00\x00\x10", "\x7f\xff\xff\xff", 1),
		"half an answer":      "\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x03\xe8",
		"an empty answer":     "\x00\x00\x00\x00",
		"a great answer":      "\x7f\xff\xff\xff",
		"a negative length":   "\xff\xff\xff\xff",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config(hostile{hello: hello}.listen(t))
			cfg.ConnectTimeout = time.Second
			s, err := Open(bounded(t), cfg)
			_ = connectError(t, s, err)
			if !errors.Is(err, errNotZooKeeper) {
				t.Errorf("the cause is %v", err)
			}
		})
	}
}

// What is checked can be read by the library, whatever it is.
func FuzzAnswers(f *testing.F) {
	for _, test := range packets {
		f.Add(test.kind, int32(0), []byte(reply(0, 0, test.body...)[replyHeader:]))
	}
	f.Add(int32(1), int32(-112), []byte{})
	var mu sync.Mutex
	var kind, code int32
	var body []byte
	addr := hostile{hello: string(connectResponse(10*time.Second, 7)), answer: func(xid, asked int32) string {
		mu.Lock()
		defer mu.Unlock()
		if asked != kind {
			return reply(xid, 0) // the library's farewell
		}
		return reply(xid, code, string(body))
	}}.listen(f)
	f.Fuzz(func(t *testing.T, wanted, err int32, answer []byte) {
		mu.Lock()
		kind, code, body = wanted, err, answer
		mu.Unlock()
		s, failed := Open(t.Context(), config(addr))
		if failed != nil {
			t.Fatal(failed)
		}
		// Reads are sent again for as long as that.
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		switch wanted {
		case 1:
			_, _ = s.Create(ctx, "/a", nil, Persistent)
		case 2:
			_ = s.Delete(ctx, "/a")
		case 3:
			_, _ = s.Stat(ctx, "/a")
		case 4:
			_, _ = s.Watch(ctx, "/a")
		case 6:
			_, _ = s.Access(ctx, "/a")
		case 9:
			_ = s.Barrier(ctx)
		case 12:
			_, _ = s.Children(ctx, "/a")
		case 14:
			_, _ = s.Multi(ctx, Create("/a", nil, Persistent), Delete("/b"), Set("/c", nil, 1))
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}
