// SPDX-License-Identifier: MPL-2.0

package holder

import (
	"errors"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// away is a space behind a proxy, by which its server can be gone.
func away(t *testing.T) (*zktest.Space, *zktest.Proxy, func(lockID string) Request) {
	t.Helper()
	space := zktest.NewSpace(t)
	proxy := zktest.NewProxy(t, space.Server())
	return space, proxy, func(lockID string) Request {
		req := request(t, space, lockID, 0)
		req.Ensemble.Servers = []string{proxy.Addr()}
		return req
	}
}

// A lock that could not be let go of in time is still held, and is let go of the
// next time.
func TestReleaseWithoutAServer(t *testing.T) {
	t.Parallel()
	for name, durable := range map[string]bool{"until the run ends": false, "durable": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			space, proxy, req := away(t)
			local := newLocal(t, self(t))
			r := req("held")
			r.Lock.Durable = durable
			grant := take(t, local, r)
			znode := znodeOf(r, grant)
			impatient := znode
			impatient.Ensemble.ConnectTimeout = time.Second
			proxy.Refuse()
			err := local.Release(t.Context(), impatient)
			if lost := (*LostError)(nil); err == nil || errors.As(err, &lost) || errors.Is(err, ErrEnded) {
				t.Errorf("released without a server: %v", err)
			}
			proxy.Accept()
			if len(space.Children(dir("held"))) != 1 {
				t.Error("the lock is not held any more")
			}
			if err := local.Release(t.Context(), znode); err != nil {
				t.Error(err)
			}
			if space.Exists(dir("held")) {
				t.Error("the lock was left")
			}
		})
	}
}

// A durable lock whose servers are gone: each release says so, and not only that its time
// was over.
func TestReleaseOfADurableLockWithoutASession(t *testing.T) {
	t.Parallel()
	_, proxy, req := away(t)
	proxy.Refuse()
	local := newLocal(t, self(t))
	ensemble := req("held").Ensemble
	ensemble.ConnectTimeout = 50 * time.Millisecond
	for range 20 {
		err := local.Release(t.Context(), Znode{Ensemble: ensemble, Path: dir("held") + "/ex-__lock__0000000000", Durable: true})
		if connect := (*zookeeper.ConnectError)(nil); !errors.As(err, &connect) {
			t.Errorf("released without a server: %v", err)
		}
		if err := local.Describe(t.Context(), Znode{Ensemble: ensemble, Path: "/x", Durable: true}, "info"); !errors.As(err, new(*zookeeper.ConnectError)) {
			t.Errorf("described without a server: %v", err)
		}
	}
}

// A release that waits for a server does not keep the holder from its end.
func TestCloseDuringAReleaseWithoutAServer(t *testing.T) {
	t.Parallel()
	space, proxy, req := away(t)
	local := NewLocal(self(t), nil)
	r := req("held")
	r.Ensemble.SessionTimeout = 2 * time.Second
	grant := take(t, local, r)
	caught := proxy.Catch(zktest.Request, func(p zktest.Packet) bool { return p.Op == zktest.OpMulti })
	released := make(chan error, 1)
	go func() {
		released <- local.Release(t.Context(), znodeOf(r, grant))
	}()
	caught.Wait()
	proxy.Refuse()
	caught.Lose()
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		_ = local.Close() // says that it could not release the lock
	}()
	if err := await(t, "the end of the release", released); !errors.Is(err, ErrEnded) {
		t.Errorf("the release ended with %v", err)
	}
	await(t, "the end of the close", closed)
	space.WaitChildren(dir("held"), 0) // with the session
	space.Delete(dir("held"))
}

// A lock that was lost is told to be lost by the release, whether that comes
// through or not.
func TestReleaseOfALostLockWithoutAServer(t *testing.T) {
	t.Parallel()
	space, proxy, req := away(t)
	told := make(chan Loss, 1)
	local := NewLocal(self(t), func(loss Loss, _ bool) { told <- loss })
	r := req("held")
	r.Ensemble.SessionTimeout, r.Ensemble.ConnectTimeout = 2*time.Second, time.Second
	grant := take(t, local, r)
	proxy.Refuse()
	loss := await(t, "the loss", told)
	err := local.Release(t.Context(), znodeOf(r, grant))
	lost := (*LostError)(nil)
	if !errors.As(err, &lost) || lost.Loss != loss {
		t.Errorf("the release says %v, want the loss %v", err, loss)
	}
	if local.Held() != 0 {
		t.Error("a lost lock counts as held")
	}
	if err := local.Close(); err != nil {
		t.Error(err)
	}
	space.WaitChildren(dir("held"), 0)
	space.Delete(dir("held"))
}

// A release goes on when the provider process has ended that asked for it.
func TestReleaseGoesOnWithoutItsProvider(t *testing.T) {
	t.Parallel()
	space, proxy, req := away(t)
	local := newLocal(t, self(t))
	p, near, ended := connected(t, local)
	r := req("held")
	grant := take(t, p, r)
	caught := proxy.Catch(zktest.Request, func(p zktest.Packet) bool { return p.Op == zktest.OpMulti })
	released := make(chan error, 1)
	go func() { released <- p.Release(t.Context(), znodeOf(r, grant)) }()
	caught.Wait()
	_ = near.Close()
	if err := await(t, "the end of the call", released); !errors.Is(err, ErrEnded) {
		t.Errorf("the call ended with %v", err)
	}
	caught.Pass()
	await(t, "the end of the connection", ended)
	if local.Held() != 0 || space.Exists(dir("held")) {
		t.Errorf("the lock was not released: %d held, there is %q", local.Held(), space.Tree())
	}
}
