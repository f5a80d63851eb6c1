// SPDX-License-Identifier: MPL-2.0

package holder

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

func TestLocalCloseReleasesAllAndEndsTheSession(t *testing.T) {
	space := zktest.NewSpace(t)
	local := newLocal(t, self(t))
	var locks []string
	for i := range 100 {
		lockID := fmt.Sprint("lock-", i)
		take(t, local, request(t, space, lockID, 0))
		locks = append(locks, dir(lockID))
	}
	_, stat := space.Get(locks[0] + "/" + space.Children(locks[0])[0])
	blocked := request(t, space, "blocked", locker.NoLimit)
	take(t, newLocal(t, otherRun(t)), blocked)
	waiting := begin(t, local, blocked)
	space.WaitChildren(dir("blocked"), 2)

	if err := local.Close(); err != nil {
		t.Error("close:", err)
	}
	if r := await(t, "the end of a waiting acquire", waiting); !errors.Is(r.err, ErrEnded) {
		t.Errorf("the waiting acquire: %v, want %v", r.err, ErrEnded)
	}
	if left := len(space.Children(dir("blocked"))); left != 1 {
		t.Errorf("the queue has %d contenders, want the other's", left)
	}
	for _, lock := range locks {
		if space.Exists(lock) {
			t.Errorf("%s is there", lock)
		}
	}
	dump, err := space.Server().FourLetter(t.Context(), "dump")
	if err != nil {
		t.Fatal(err)
	}
	if session := fmt.Sprintf("%#x", stat.EphemeralOwner); slices.Contains(strings.Fields(dump), session) {
		t.Errorf("the session %s lives:\n%s", session, dump)
	}

	if _, err := local.Acquire(t.Context(), request(t, space, "late", 0)); !errors.Is(err, ErrEnded) {
		t.Errorf("an acquire after the close: %v, want %v", err, ErrEnded)
	}
	if local.Held() != 0 {
		t.Error("a closed holder holds something")
	}
}

// Close comes back when the server does not answer; what it could not release
// ends with the session.
func TestLocalCloseWithoutAServer(t *testing.T) {
	server := zktest.Own(t, zktest.Options{})
	space := zktest.NewSpaceOn(t, server)
	local := newLocal(t, self(t))
	short := func(lockID string, wait time.Duration) Request {
		req := request(t, space, lockID, wait)
		req.Ensemble.SessionTimeout = 2 * time.Second
		return req
	}
	take(t, local, short("held", 0))
	take(t, newLocal(t, otherRun(t)), request(t, space, "blocked", 0))
	waiting := begin(t, local, short("blocked", locker.NoLimit))
	space.WaitChildren(dir("blocked"), 2)
	if err := server.Pause(); err != nil {
		t.Fatal(err)
	}
	// One that is not even connected.
	unconnected := short("unconnected", 0)
	unconnected.Ensemble.ConnectTimeout--
	connecting := begin(t, local, unconnected)

	closed := make(chan error, 1)
	start := time.Now()
	go func() { closed <- local.Close() }()
	err := await(t, "the end of the close", closed)
	t.Logf("the close took %v: %v", time.Since(start).Round(time.Millisecond), err)
	for _, done := range []<-chan result{waiting, connecting} {
		if r := await(t, "the end of an acquire", done); !errors.Is(r.err, ErrEnded) {
			t.Errorf("an acquire: %v, want %v", r.err, ErrEnded)
		}
	}
	if err := server.Resume(); err != nil {
		t.Fatal(err)
	}
	space.WaitChildren(dir("held"), 0)
	space.WaitChildren(dir("blocked"), 1)
	space.Delete(dir("held"))
}

// The loss of a lock is told once, and again to whoever releases it.
func TestLocalTellsALoss(t *testing.T) {
	space := zktest.NewSpace(t)
	proxy := zktest.NewProxy(t, space.Server())
	type call struct {
		loss      Loss
		interrupt bool
	}
	calls := make(chan call, 10)
	local := NewLocal(self(t), func(loss Loss, interrupt bool) { calls <- call{loss, interrupt} })
	defer func() { _ = local.Close() }()

	granted := map[string]bool{}
	var reqs [2]Request
	var grants [2]Grant
	for i := range reqs {
		reqs[i] = request(t, space, fmt.Sprint("lock-", i), 0)
		reqs[i].Ensemble.Servers = []string{proxy.Addr()}
		reqs[i].Interrupt = i == 0
		grants[i] = take(t, local, reqs[i])
		granted[grants[i].Znode] = reqs[i].Interrupt
	}
	proxy.Expire()
	for range grants {
		c := await(t, "the loss of a lock", calls)
		if interrupt, ok := granted[c.loss.Znode]; !ok || c.interrupt != interrupt || c.loss.At.IsZero() || c.loss.Cause == "" {
			t.Errorf("told %+v", c)
		}
		delete(granted, c.loss.Znode)
	}
	if local.Held() != 2 {
		t.Errorf("%d held; a lost lock is the holder's until somebody has heard of the loss", local.Held())
	}
	var lost *LostError
	if err := local.Release(t.Context(), znodeOf(reqs[0], grants[0])); !errors.As(err, &lost) || lost.Znode != grants[0].Znode {
		t.Errorf("the release of a lost lock: %v", err)
	}
	if local.Held() != 1 {
		t.Errorf("%d held after the release of one of two", local.Held())
	}
	if err := local.Close(); !errors.As(err, &lost) || lost.Znode != grants[1].Znode {
		t.Errorf("the close with a lost lock: %v", err)
	}
	if len(calls) > 0 {
		t.Error("a loss was told twice")
	}
	for _, lockID := range []string{"lock-0", "lock-1"} {
		space.Delete(dir(lockID)) // which the end of a session leaves
	}
}
