// SPDX-License-Identifier: MPL-2.0

package kerberos

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/go-krb5/krb5/iana/nametype"
	"github.com/go-krb5/krb5/messages"
	"github.com/go-krb5/krb5/types"
)

// answering is the address of one who answers whatever is said to it in the same way.
func answering(t *testing.T, answer string) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = io.ReadAtLeast(conn, make([]byte, 4096), 5)
			_, _ = io.WriteString(conn, answer)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-done
	})
	return listener.Addr().String()
}

func framed(body string) string {
	return string(binary.BigEndian.AppendUint32(nil, uint32(len(body)))) + body //nolint:gosec // short
}

// Whatever answers in a KDC's place, a login fails with an error.
func TestStrangeKDCs(t *testing.T) {
	t.Parallel()
	refused := messages.NewKRBError(types.NewPrincipalName(nametype.KRB_NT_SRV_INST, "krbtgt/A"), "A", 25, "NEEDED_PREAUTH")
	refused.EData = []byte("nonsense")
	preauth, err := refused.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	who := principal{types.NewPrincipalName(nametype.KRB_NT_PRINCIPAL, "alice"), "A"}
	for name, test := range map[string]struct{ answer, says string }{
		"nothing":               {"", "no KDC of the realm A answers"},
		"an endless answer":     {"\xff\xff\xff\xffbody", "it is not a KDC: an answer of 4294967295 bytes"},
		"an empty answer":       {"\x00\x00\x00\x00", "it is not a KDC: an answer of 0 bytes"},
		"half an answer":        {"\x00\x00\x00\x10half", "no KDC of the realm A answers"},
		"a web server":          {"HTTP/1.1 400 Bad Request\r\n", "it is not a KDC"},
		"nonsense":              {framed("nonsense"), errReply.Error()},
		"nonsense in a refusal": {framed(string(preauth)), errReply.Error()},
		"an empty structure":    {framed("\x6b\x02\x30\x00"), errReply.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &configuration{etypes: allowed, clockSkew: time.Minute, ticketLifetime: time.Hour, kdcs: map[string][]string{"A": {answering(t, test.answer)}}}
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			if got, err := login(ctx, c, who, &password{who, "wonderland"}); got != nil || err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v, want %q", err, test.says)
			}
		})
	}
}

// A KDC that says nothing keeps us from none of the others, and from no deadline.
func TestSilentKDC(t *testing.T) {
	t.Parallel()
	silent, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	c := &configuration{kdcs: map[string][]string{"A": {silent.Addr().String(), answering(t, framed("answer"))}, "B": {silent.Addr().String()}}}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if answer, err := c.send(ctx, "A", []byte("message")); string(answer) != "answer" || err != nil {
		t.Errorf("%q, %v", answer, err)
	}
	short, end := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer end()
	if _, err := c.send(short, "B", []byte("message")); err == nil || !strings.Contains(err.Error(), "did not answer in time") {
		t.Error(err)
	}
}
