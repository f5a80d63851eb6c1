// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

func TestOpenSaysWhichServerRefused(t *testing.T) {
	t.Parallel()
	dead := deadServer(t)
	cfg := config(dead)
	cfg.ConnectTimeout = time.Second
	s, err := Open(bounded(t), cfg)
	failed := connectError(t, s, err)
	if len(failed.Servers) != 1 || failed.Servers[0] != dead {
		t.Errorf("the servers are %q, want %q", failed.Servers, dead)
	}
	// The number of the error is another one on Windows.
	if op := new(net.OpError); !errors.As(err, &op) || !strings.Contains(op.Error(), "refused") {
		t.Errorf("the cause is not the refused connection: %v", err)
	}
	if !strings.Contains(err.Error(), dead) || !strings.Contains(err.Error(), "after 1s") {
		t.Errorf("the error names no server or no time: %v", err)
	}
}

// The cause must come out whichever of the two timeouts ends the attempt.
func TestOpenSaysThatTheServerIsSilent(t *testing.T) {
	t.Parallel()
	for name, timeouts := range map[string]struct{ session, connect time.Duration }{
		"as long as the session": {time.Second, time.Second},
		"shorter":                {10 * time.Second, time.Second},
		"longer":                 {400 * time.Millisecond, 2 * time.Second},
	} {
		t.Run("connect timeout "+name, func(t *testing.T) {
			t.Parallel()
			silent := listen(t, func(net.Conn) {})
			s, err := Open(bounded(t), Config{Servers: []string{silent}, SessionTimeout: timeouts.session, ConnectTimeout: timeouts.connect})
			_ = connectError(t, s, err)
			if !errors.Is(err, errHandshake) {
				t.Errorf("the cause is not the silence: %v", err)
			}
			if !strings.Contains(err.Error(), silent) {
				t.Errorf("the error names no server: %v", err)
			}
		})
	}
}

func TestOpenSaysThatItIsNoZooKeeper(t *testing.T) {
	t.Parallel()
	web := listen(t, func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n") })
	cfg := config(web)
	cfg.ConnectTimeout = time.Second
	s, err := Open(bounded(t), cfg)
	_ = connectError(t, s, err)
	if !errors.Is(err, errNotZooKeeper) {
		t.Errorf("the cause is not the strange answer: %v", err)
	}
}

func TestOpenWithoutServers(t *testing.T) {
	t.Parallel()
	s, err := Open(bounded(t), config())
	_ = connectError(t, s, err)
}

// The order is the client library's and random: go through it some times.
func TestOpenFindsTheLivingServer(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	for name, other := range map[string]string{
		"one is dead":   deadServer(t),
		"one is silent": listen(t, func(net.Conn) {}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for range 5 {
				cfg := config(other, space.Addr())
				cfg.ConnectTimeout = 3 * time.Second
				s, err := Open(bounded(t), cfg)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := s.Stat(bounded(t), "/"); err != nil {
					t.Error(err)
				}
				_ = s.Close()
			}
		})
	}
}

func TestOpenEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(bounded(t))
	cause := errors.New("the user is impatient")
	silent := listen(t, func(net.Conn) { cancel(cause) })
	s, err := Open(ctx, config(silent))
	if s != nil || !errors.Is(err, cause) {
		t.Errorf("opened %v, %v; want %v", s, err, cause)
	}
	var failed *ConnectError
	if errors.As(err, &failed) {
		t.Errorf("the server is blamed for what the user did: %v", err)
	}
}

func TestOpenWithAnEndedContextSendsNothing(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("too late")
	cancel(cause)
	s, err := Open(ctx, config(zktest.NewSpace(t).Addr()))
	if s != nil || !errors.Is(err, cause) {
		t.Errorf("opened %v, %v; want %v", s, err, cause)
	}
}

// connectError is err as the ConnectError that it has to be.
func connectError(t *testing.T, s *Session, err error) *ConnectError {
	t.Helper()
	var failed *ConnectError
	if s != nil || !errors.As(err, &failed) {
		t.Fatalf("opened %v, %v; want a ConnectError", s, err)
	}
	return failed
}

// deadServer is an address at which nobody listens.
func deadServer(t *testing.T) string {
	t.Helper()
	port, err := zktest.FreePort(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}

// listen accepts connections until the test's end and calls accepted for each.
func listen(t *testing.T, accepted func(net.Conn)) string {
	t.Helper()
	return listenAt(t, "127.0.0.1:0", accepted)
}

// listenAt is listen at an address.
func listenAt(t *testing.T, addr string, accepted func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() {
		_ = listener.Close()
		<-done
	})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			defer func() { _ = conn.Close() }()
			accepted(conn)
		}
	}()
	return listener.Addr().String()
}
