// SPDX-License-Identifier: MPL-2.0

package holder

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// waitFor begins to acquire, and returns when it is known that it has to wait.
func waitFor(t *testing.T, h Holder, req Request) (done <-chan result, cancel context.CancelFunc) {
	t.Helper()
	queued := make(chan struct{})
	tell := sync.OnceFunc(func() { close(queued) })
	req.Lock.Waiting = func(locker.Waiting) { tell() }
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	results := make(chan result, 1)
	go func() {
		grant, err := h.Acquire(ctx, req)
		results <- result{grant, err}
	}()
	await(t, "a waiter", queued)
	return results, cancel
}

// Who asks for what the run waits for already waits with the others: the end of one's
// wait is not the others'.
func TestWaitersWaitTogether(t *testing.T) {
	for name, test := range map[string]struct {
		waits  [2]time.Duration
		cancel int // index of a waiter, -1 for none
		busy   int // the same
	}{
		"both get it":                    {[2]time.Duration{locker.NoLimit, locker.NoLimit}, -1, -1},
		"the first is cancelled":         {[2]time.Duration{locker.NoLimit, locker.NoLimit}, 0, -1},
		"the second is cancelled":        {[2]time.Duration{locker.NoLimit, locker.NoLimit}, 1, -1},
		"the time of the first is over":  {[2]time.Duration{time.Second, locker.NoLimit}, -1, 0},
		"the time of the second is over": {[2]time.Duration{locker.NoLimit, time.Millisecond}, -1, 1},
		"the second has one try, which is of a lock that is waited for": {[2]time.Duration{locker.NoLimit, 0}, -1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			space := zktest.NewSpace(t)
			other := newLocal(t, otherRun(t))
			req := request(t, space, "a", 0)
			held := take(t, other, req)
			local := newLocal(t, self(t))
			var waiters [2]<-chan result
			var cancels [2]context.CancelFunc
			for i, wait := range test.waits {
				waiters[i], cancels[i] = waitFor(t, local, request(t, space, "a", wait))
			}
			if i := test.busy; i >= 0 {
				var busy *locker.BusyError
				r := await(t, "the end of a wait", waiters[i])
				if !errors.As(r.err, &busy) || busy.Waited != test.waits[i] || busy.Place != 1 || busy.Holders[0].Znode != held.Znode {
					t.Errorf("waiter %d: %+v, %v", i, r.grant, r.err)
				}
			}
			if i := test.cancel; i >= 0 {
				cancels[i]()
				if r := await(t, "the end of a wait", waiters[i]); !errors.Is(r.err, context.Canceled) {
					t.Errorf("waiter %d: %+v, %v", i, r.grant, r.err)
				}
			}
			space.WaitChildren(dir("a"), 2)
			if err := other.Release(t.Context(), znodeOf(req, held)); err != nil {
				t.Fatal(err)
			}
			for i, waiter := range waiters {
				if i == test.cancel || i == test.busy {
					continue
				}
				r := await(t, "the lock", waiter)
				if r.err != nil {
					t.Fatal(r.err)
				}
				if err := local.Release(t.Context(), znodeOf(req, r.grant)); err != nil {
					t.Error(err)
				}
			}
			if space.Exists(dir("a")) {
				t.Errorf("there is %q", space.Tree())
			}
		})
	}
}

// A loss interrupts the run if any of those who have a grant then has asked for it.
func TestLossInterruptsForAnyGrant(t *testing.T) {
	for name, test := range map[string]struct {
		asks    [2]bool
		release int // index of a grant; -1 for none
		want    bool
	}{
		"none asks":                     {[2]bool{false, false}, -1, false},
		"the first asks":                {[2]bool{true, false}, -1, true},
		"the second asks":               {[2]bool{false, true}, -1, true},
		"the one who asks has released": {[2]bool{false, true}, 1, false},
		"the one who asks has it still": {[2]bool{false, true}, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			space := zktest.NewSpace(t)
			told := make(chan bool, 2)
			local := NewLocal(self(t), func(_ Loss, interrupt bool) { told <- interrupt })
			defer func() { _ = local.Close() }()
			req := request(t, space, "a", 0)
			req.Ensemble.SessionTimeout = 2 * time.Second
			var grants [2]Grant
			for i, asks := range test.asks {
				req.Interrupt = asks
				grants[i] = take(t, local, req)
			}
			if test.release >= 0 {
				if err := local.Release(t.Context(), znodeOf(req, grants[test.release])); err != nil {
					t.Fatal(err)
				}
			}
			space.Delete(strings.TrimPrefix(grants[0].Znode, space.Chroot()))
			if interrupt := await(t, "the loss", told); interrupt != test.want {
				t.Errorf("the loss asks for an interrupt: %t", interrupt)
			}
			var lost *LostError
			for i, grant := range grants {
				if err := local.Release(t.Context(), znodeOf(req, grant)); errors.As(err, &lost) != (i != test.release) {
					t.Errorf("release of grant %d: %v", i, err)
				}
			}
			if len(told) > 0 || local.Held() > 0 {
				t.Errorf("told %d times more; %d held", len(told), local.Held())
			}
			deleteEmpty(space, dir("a"))
		})
	}
}

func TestFind(t *testing.T) {
	const no, shares, takes = "refused", "shared", "taken"
	exclusive, shared := locker.Request{}, locker.Request{Mode: locker.Shared}
	written := locker.Request{Mode: locker.Exclusive}
	two, three := locker.Request{Slots: 2}, locker.Request{Slots: 3}
	durable := func(r locker.Request) locker.Request { r.Durable = true; return r }
	for _, test := range []struct {
		have, want locker.Request
		verdict    string
	}{
		{exclusive, exclusive, shares},
		{exclusive, written, shares},
		{exclusive, shared, shares},
		{exclusive, two, no},
		{shared, shared, shares},
		{shared, exclusive, no},
		{shared, written, no},
		{two, two, shares},
		{two, three, no},
		{two, exclusive, no},
		{exclusive, durable(exclusive), no},
		{durable(exclusive), exclusive, shares},
		{durable(exclusive), shared, shares},
		{durable(exclusive), durable(exclusive), no},
		{shared, durable(shared), takes},
		{durable(shared), durable(shared), takes},
		{durable(shared), shared, shares},
		{durable(shared), exclusive, no},
		{durable(two), durable(two), takes},
		{durable(two), durable(three), no},
	} {
		k := &lock{req: Request{Lock: test.have}}
		got, err := find([]*lock{k}, test.want)
		verdict := takes
		switch {
		case err != nil:
			verdict = no
		case got == k:
			verdict = shares
		}
		if verdict != test.verdict {
			t.Errorf("%s, asked for as %s, is %s, want %s", describe(test.have), describe(test.want), verdict, test.verdict)
		}
	}
}

// Whatever comes at the same time, the run has one contender at most, and none when
// all have released or given up.
func TestGrantsInAnyOrder(t *testing.T) {
	space := zktest.NewSpace(t)
	local, other := newLocal(t, self(t)), newLocal(t, otherRun(t))
	seed := [2]uint64{rand.Uint64(), rand.Uint64()} //nolint:gosec // for a test
	t.Logf("the seed is %v", seed)
	random := rand.New(rand.NewPCG(seed[0], seed[1])) //nolint:gosec // for a test
	var all sync.WaitGroup
	for worker := range 8 {
		h := map[bool]*Local{true: other, false: local}[worker == 0]
		delays := make([]time.Duration, 40)
		for i := range delays {
			delays[i] = time.Duration(random.IntN(3000)) * time.Microsecond
		}
		all.Go(func() {
			for i, delay := range delays {
				req := request(t, space, "a", []time.Duration{0, locker.NoLimit, time.Second}[i%3])
				ctx, cancel := context.WithTimeoutCause(t.Context(), delay+time.Millisecond, context.Canceled)
				if i%4 == 0 {
					ctx = t.Context()
				}
				grant, err := h.Acquire(ctx, req)
				cancel()
				switch {
				case err == nil:
					if err := h.Release(t.Context(), znodeOf(req, grant)); err != nil {
						t.Error("release:", err)
					}
				case errors.Is(err, locker.ErrBusy), errors.Is(err, context.Canceled):
				default:
					t.Error("acquire:", err)
				}
			}
		})
	}
	all.Wait()
	if local.Held()+other.Held() > 0 {
		t.Errorf("%d and %d held", local.Held(), other.Held())
	}
	space.WaitChildren(dir("a"), 0)
	deleteEmpty(space, dir("a"))
	if n := len(local.locks) + len(local.grants); n > 0 {
		t.Errorf("%d locks and grants are left", n)
	}
}
