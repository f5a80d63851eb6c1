// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

func newPool(t *testing.T) *Pool {
	t.Helper()
	p := &Pool{}
	t.Cleanup(p.Close)
	return p
}

func mustSession(t *testing.T, p *Pool, cfg Config) *Session {
	t.Helper()
	s, err := p.Session(bounded(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPoolSharesASession(t *testing.T) {
	t.Parallel()
	p, cfg := newPool(t), config(zktest.NewSpace(t).Addr())
	got := make([]*Session, 20)
	var callers sync.WaitGroup
	for i := range got {
		callers.Go(func() { got[i], _ = p.Session(bounded(t), cfg) })
	}
	callers.Wait()
	for _, s := range got {
		if s == nil || s != got[0] {
			t.Fatalf("the callers got %v", got)
		}
	}
	if s := mustSession(t, p, cfg); s != got[0] {
		t.Error("a later caller gets another session")
	}
}

func TestPoolKeepsWhatDiffersApart(t *testing.T) {
	t.Parallel()
	p, cfg := newPool(t), config(zktest.NewSpace(t).Addr())
	base := mustSession(t, p, cfg)
	for name, change := range map[string]func(*Config){
		"session timeout": func(c *Config) { c.SessionTimeout += time.Second },
		"connect timeout": func(c *Config) { c.ConnectTimeout += time.Second },
		"servers":         func(c *Config) { c.Servers = append(c.Servers, c.Servers[0]) },
	} {
		t.Run(name, func(t *testing.T) {
			other := cfg
			change(&other)
			if s := mustSession(t, p, other); s == base || s.ID() == base.ID() {
				t.Error("the same session")
			}
		})
	}
}

func TestPoolReplacesALostSession(t *testing.T) {
	t.Parallel()
	p, cfg := newPool(t), config(zktest.NewSpace(t).Addr())
	first := mustSession(t, p, cfg)
	id := first.ID()
	expire(t, first)
	await(t, "the loss", first.Lost())
	second := mustSession(t, p, cfg)
	if second == first || second.ID() == id || second.Err() != nil {
		t.Errorf("session %#x is followed by %#x, %v", id, second.ID(), second.Err())
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for range first.events {
			// Closed when nothing of the library runs any more.
		}
	}()
	await(t, "the end of the lost session's goroutines", ended)
	if s := mustSession(t, p, cfg); s != second {
		t.Error("the new session is not shared")
	}
}

func TestPoolForgetsAFailure(t *testing.T) {
	t.Parallel()
	p, cfg := newPool(t), config(deadServer(t))
	cfg.ConnectTimeout = time.Second
	if s, err := p.Session(bounded(t), cfg); err == nil {
		t.Fatalf("a session %#x with nobody", s.ID())
	}
	forward(t, cfg.Servers[0], zktest.NewSpace(t).Addr(), func() {})
	if err := mustSession(t, p, cfg).Err(); err != nil {
		t.Error(err)
	}
}

// forward passes what comes to one address on to another, until the test's end.
// accepted is called before anything is passed on.
func forward(t *testing.T, from, to string, accepted func()) {
	t.Helper()
	listener, err := net.Listen("tcp", from)
	if err != nil {
		t.Fatal(err)
	}
	var copying sync.WaitGroup
	ended, end := context.WithCancel(context.Background())
	t.Cleanup(func() {
		_ = listener.Close()
		end()
		copying.Wait()
	})
	copying.Go(func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				_ = in.Close()
				continue
			}
			context.AfterFunc(ended, func() { _ = in.Close() })
			accepted()
			pass := func(to, from net.Conn) {
				_, _ = io.Copy(to, from)
				_ = to.Close()
			}
			copying.Go(func() { pass(out, in) })
			copying.Go(func() { pass(in, out) })
		}
	})
}

// One caller's impatience is not the others' failure.
func TestPoolOpensForAllWhoWait(t *testing.T) {
	t.Parallel()
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(bounded(t))
	goOn := make(chan struct{})
	addr := deadServer(t)
	forward(t, addr, zktest.NewSpace(t).Addr(), func() {
		cancel(cause)
		<-goOn
	})
	p, cfg := newPool(t), config(addr)
	if _, err := p.Session(ctx, cfg); !errors.Is(err, cause) {
		t.Errorf("want %v, got %v", cause, err)
	}
	entry, err := p.entry(cfg) // what another caller waits for
	if err != nil {
		t.Fatal(err)
	}
	close(goOn)
	await(t, "the session", entry.opened)
	if entry.err != nil {
		t.Errorf("the session that the first caller began to open: %v", entry.err)
	}
}

func TestPoolCloses(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	p := newPool(t)
	s := mustSession(t, p, config(space.Addr()))
	mustCreate(t, s, space.Path("/a"), Ephemeral)
	opening := make(chan struct{})
	silent := config(listen(t, func(net.Conn) { close(opening) }))
	silent.ConnectTimeout = 2 * patience
	failed := make(chan error)
	go func() {
		_, err := p.Session(bounded(t), silent)
		failed <- err
	}()
	await(t, "a session being opened", opening)

	p.Close()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("the session being opened failed by %v", err)
	}
	if !errors.Is(s.Err(), ErrClosed) || space.Exists("/a") {
		t.Errorf("after Close: %v, the ephemeral exists: %v", s.Err(), space.Exists("/a"))
	}
	if s, err := p.Session(bounded(t), config(space.Addr())); s != nil || !errors.Is(err, ErrClosed) {
		t.Errorf("a closed pool gives %v, %v", s, err)
	}
	p.Close()
}
