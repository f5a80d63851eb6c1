// SPDX-License-Identifier: MPL-2.0

//go:build unix

package zookeeper

import (
	"context"
	"errors"
	"net"
	"syscall"
	"testing"
	"time"
)

// A dial that nobody answers must not keep whoever gives up.
func TestOpenEndsWhileADialHangs(t *testing.T) {
	t.Parallel()
	cfg := Config{Servers: []string{blackHole(t)}, SessionTimeout: 2 * patience, ConnectTimeout: 2 * patience}
	cause := errors.New("enough")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 100*time.Millisecond, cause)
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if s, err := Open(ctx, cfg); s != nil || !errors.Is(err, cause) {
			t.Errorf("opened %v, %v; want %v", s, err, cause)
		}
	}()
	await(t, "Open", ended)
}

// blackHole is an address that answers no more attempts to connect: as many as
// it takes wait to be accepted.
func blackHole(t *testing.T) string {
	t.Helper()
	return blackHoleAt(t, "127.0.0.1:0")
}

// blackHoleAt is blackHole at an address.
func blackHoleAt(t *testing.T, addr string) string {
	t.Helper()
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	raw, err := listener.(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) { err = syscall.Listen(int(fd), 0) }); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		conn, err := net.DialTimeout("tcp", listener.Addr().String(), 100*time.Millisecond)
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			return listener.Addr().String()
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
	t.Skip("this system accepts any number of connections")
	return ""
}
