// SPDX-License-Identifier: MPL-2.0

//go:build unix

package holder

import (
	"bytes"
	"errors"
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
			deleteEmpty(space, dir("a"))
		})
	}
}
