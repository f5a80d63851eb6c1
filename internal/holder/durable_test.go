//go:build unix

package holder

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// durable asks for the durable lock a, through the proxy if there is one.
func durable(t *testing.T, space *zktest.Space, proxy *zktest.Proxy) Request {
	t.Helper()
	req := request(t, space, "a", locker.NoLimit)
	req.Lock.Durable = true
	if proxy != nil {
		req.Ensemble.Servers = []string{proxy.Addr()}
	}
	return req
}

// promotion matches the request that makes a lock durable.
func promotion(p zktest.Packet) bool {
	return p.Op == zktest.OpMulti && bytes.Contains(p.Body, []byte(`"durable":true`))
}

// A holder that is closed while it makes a lock durable leaves none.
func TestLocalCloseWhilePromoting(t *testing.T) {
	for name, test := range map[string]struct {
		side    zktest.Side
		verdict func(*zktest.Caught)
	}{
		"before":                {zktest.Request, (*zktest.Caught).Pass},
		"after":                 {zktest.Reply, (*zktest.Caught).Pass},
		"the request gets lost": {zktest.Request, (*zktest.Caught).Lose},
		"the reply gets lost":   {zktest.Reply, (*zktest.Caught).Lose},
	} {
		t.Run(name, func(t *testing.T) {
			space := zktest.NewSpace(t)
			proxy := zktest.NewProxy(t, space.Server())
			local := NewLocal(self(t), nil)
			caught := proxy.Catch(test.side, promotion)
			acquiring := begin(t, local, durable(t, space, proxy))
			caught.Wait()
			closed := make(chan error, 1)
			go func() { closed <- local.Close() }()
			await(t, "the beginning of the close", local.life.Done())
			test.verdict(caught)
			if err := await(t, "the end of the close", closed); err != nil {
				t.Error("close:", err)
			}
			if r := await(t, "the end of the acquire", acquiring); !errors.Is(r.err, ErrEnded) {
				t.Errorf("the acquire: %+v, want %v", r, ErrEnded)
			}
			if left := space.Children(dir("a")); len(left) != 0 {
				t.Errorf("%q is there", left)
			}
		})
	}
}

// A durable lock is not left to a run that has ended: nobody would ever know of it.
func TestLocalTakesNoDurableLockForADeadRun(t *testing.T) {
	space := zktest.NewSpace(t)
	tf := startTerraform(t)
	local := newLocal(t, tf.Run)
	tf.kill()
	if err := tf.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if grant, err := local.Acquire(t.Context(), durable(t, space, nil)); !errors.Is(err, ErrEnded) {
		t.Errorf("got %+v, %v, want %v", grant, err, ErrEnded)
	}
	if left := space.Children(dir("a")); len(left) != 0 {
		t.Errorf("%q is there", left)
	}
}

// A run that is killed while its lock is made durable leaves nothing.
func TestProcessOfAKilledRunPromotesNothing(t *testing.T) {
	for name, side := range map[string]zktest.Side{"before": zktest.Request, "after": zktest.Reply} {
		t.Run(name, func(t *testing.T) {
			space := zktest.NewSpace(t)
			proxy := zktest.NewProxy(t, space.Server())
			tf := startTerraform(t)
			p := newProcess(t, tf.Run)
			caught := proxy.Catch(side, promotion)
			acquiring := begin(t, p, durable(t, space, proxy))
			caught.Wait()
			tf.kill()
			if err := tf.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			caught.Pass()
			if r := await(t, "the end of the acquire", acquiring); !errors.Is(r.err, ErrEnded) {
				t.Errorf("the acquire: %+v, want %v", r, ErrEnded)
			}
			awaitNoHolder(t)
			if left := space.Children(dir("a")); len(left) != 0 {
				t.Errorf("%q is there", left)
			}
			if space.Exists(dir("a")) {
				space.Delete(dir("a"))
			}
		})
	}
}

// A durable lock outlives its provider and its holder process; any other pair can
// describe it and let it go.
func TestProcessLeavesADurableLock(t *testing.T) {
	space := zktest.NewSpace(t)
	tf := startTerraform(t)
	taking := newProcess(t, tf.Run)
	req := durable(t, space, nil)
	grant := take(t, taking, req)
	if err := taking.Close(); err != nil {
		t.Fatal(err)
	}
	tf.end()
	awaitNoHolder(t)
	below := strings.TrimPrefix(grant.Znode, space.Chroot())
	if _, stat := space.Get(below); stat.EphemeralOwner != 0 {
		t.Errorf("it ends with the session %#x", stat.EphemeralOwner)
	}

	other := newProcess(t, startTerraform(t).Run)
	znode := znodeOf(req, grant)
	if err := other.Describe(t.Context(), znode, "something else"); err != nil {
		t.Error("describe:", err)
	}
	text, _ := space.Get(below)
	var data locker.Data
	if err := json.Unmarshal(text, &data); err != nil || data.Info != "something else" || data.Token != grant.Token {
		t.Errorf("the znode says %s", text)
	}
	for range 2 {
		if err := other.Release(t.Context(), znode); err != nil {
			t.Error("release:", err)
		}
		if space.Exists(dir("a")) {
			t.Errorf("after the release %q is there", space.Tree())
		}
	}
	if err := other.Describe(t.Context(), znode, "too late"); !errors.Is(err, locker.ErrNotDurable) {
		t.Errorf("describe a lock that is gone: %v, want %v", err, locker.ErrNotDurable)
	}
}

// What is no durable lock is neither described nor released as one.
func TestProcessTouchesDurableLocksOnly(t *testing.T) {
	space := zktest.NewSpace(t)
	p := newProcess(t, startTerraform(t).Run)
	req := request(t, space, "a", 0)
	grant := take(t, p, req)
	znode := znodeOf(req, grant)
	znode.Durable = true
	for what, do := range map[string]func(context.Context) error{
		"release":  func(ctx context.Context) error { return p.Release(ctx, znode) },
		"describe": func(ctx context.Context) error { return p.Describe(ctx, znode, "mine") },
	} {
		if err := do(t.Context()); !errors.Is(err, locker.ErrNotDurable) {
			t.Errorf("%s: %v, want %v", what, err, locker.ErrNotDurable)
		}
	}
	if len(space.Children(dir("a"))) != 1 {
		t.Error("the lock is not held any more")
	}
	znode.Durable = false
	if err := p.Release(t.Context(), znode); err != nil {
		t.Error("release:", err)
	}
}
