// SPDX-License-Identifier: MPL-2.0

//go:build unix

package holder

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// A run that holds a lock for longer than it may is interrupted once, told why, and gets no
// more locks. It holds the lock until it has ended, and those who look see until when.
func TestLockIsHeldForTooLong(t *testing.T) {
	space := zktest.NewSpace(t)
	terraform := startListening(t)
	p := newProcess(t, terraform.Run)
	req := request(t, space, "a", 0)
	req.MaxHold = 2 * time.Second
	grant := take(t, p, req)
	if data, _ := space.Get(strings.TrimPrefix(grant.Znode, space.Chroot())); !strings.Contains(string(data), `"max_hold":2`) {
		t.Errorf("the znode says %s", data)
	}
	terraform.isTold(t, "clocker: ", `lock "a"`, grant.Znode, "max_hold = 2 seconds", "Interrupting this run.", "held until the run has ended")
	terraform.hears(t, "interrupted")
	_, err := p.Acquire(t.Context(), request(t, space, "b", 0))
	var interrupted *InterruptedError
	if !errors.As(err, &interrupted) || interrupted.LockID != "" || !strings.Contains(interrupted.Cause, "max_hold = 2 seconds") {
		t.Errorf("another acquire: %v", err)
	}
	if n := len(space.Children(dir("a"))); n != 1 {
		t.Errorf("there are %d contenders while the run has not ended", n)
	}
	terraform.ends(t)
	space.WaitGone(dir("a"))
	awaitNoHolder(t)
	if more := terraform.toldMore(t); more != "" {
		t.Errorf("it was told besides: %s", more)
	}
}

// What is let go in time is not held for too long, and of those who share a lock the one
// whose time is over first counts.
func TestWhichLimitCounts(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	local := newLocal(t, self(t))
	told := make(chan Overdue, 10)
	local.onOverdue = func(o Overdue) { told <- o }
	limited := func(lockID string, limit time.Duration) Request {
		req := request(t, space, lockID, 0)
		req.MaxHold = limit
		return req
	}
	inTime := limited("in time", 50*time.Millisecond)
	if err := local.Release(t.Context(), znodeOf(inTime, take(t, local, inTime))); err != nil {
		t.Fatal(err)
	}
	take(t, local, limited("longer later", 100*time.Millisecond))
	take(t, local, limited("longer later", time.Hour))
	take(t, local, limited("shorter later", time.Hour))
	take(t, local, limited("shorter later", 100*time.Millisecond))
	take(t, local, request(t, space, "later only", 0))
	take(t, local, limited("later only", 100*time.Millisecond))
	take(t, local, limited("for ever", 0))
	got := map[string]int{}
	for range 3 {
		o := await(t, "a word of a lock that is held for too long", told)
		got[o.LockID]++
		if o.MaxHold != 100*time.Millisecond || o.Znode == "" {
			t.Errorf("it says %+v", o)
		}
	}
	for _, lockID := range []string{"longer later", "shorter later", "later only"} {
		if got[lockID] != 1 {
			t.Errorf("the words are about %v", got)
		}
	}
	if len(told) > 0 {
		t.Errorf("there is another word: %+v", <-told)
	}
}
