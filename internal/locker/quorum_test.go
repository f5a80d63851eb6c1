// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// rivals are a holder and one who waits behind it, and what became of both.
type rivals struct {
	t      *testing.T
	holder *client
	lock   *Lock
	next   *pending
	lost   time.Time // when the holder knew that the lock may be another's
	got    time.Time // when that one had it
	over   chan struct{}
}

// newRivals has the holder connect to one server, and the other one elsewhere.
func newRivals(t *testing.T, dir, holds string, timeout time.Duration, waits ...string) *rivals {
	t.Helper()
	r := &rivals{t: t, holder: newClientWith(t, holds, timeout), over: make(chan struct{})}
	other := newClientWith(t, "", 50*time.Second)
	other.cfg.Servers = waits
	r.lock = r.holder.lock(dir)
	r.next = other.queue(other.request(dir))
	go func() {
		defer close(r.over)
		lost, got := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(lost)
			<-r.lock.Lost()
			r.lost = time.Now()
		}()
		go func() {
			defer close(got)
			<-r.next.done
			r.got = time.Now()
		}()
		<-lost
		<-got
	}()
	return r
}

// judge waits for the end of both, and fails the test if both held the lock at once.
func (r *rivals) judge(what string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 2*patience)
	defer cancel()
	select {
	case <-r.over:
	case <-ctx.Done():
		r.t.Fatalf("%s: the lock is not handed over: lost %v, got %v", what, r.lost, r.got)
	}
	if r.next.err != nil {
		r.t.Fatalf("%s: %v", what, r.next.err)
	}
	margin := r.got.Sub(r.lost).Round(time.Millisecond)
	r.t.Logf("%s: lost %v before the next one held it (%v)", what, margin, r.lock.Err())
	if margin < 0 {
		r.t.Errorf("%s: TWO HOLD the lock for %v", what, -margin)
	}
}

func (r *rivals) leave() {
	r.t.Helper()
	if r.next.lock != nil {
		release(r.t, r.next.lock)
	}
	r.holder.pool.Close()
}

// A leader stands still for long enough to be replaced, and goes on for a moment before
// it stands still again: it answers what needs no quorum before it has noticed.
func TestADeposedLeaderIsNotBelieved(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	const burst = 30 * time.Millisecond
	e := zktest.OwnEnsemble(t, 3, zktest.Options{TickTime: time.Second / 2, Config: map[string]string{"syncLimit": "2"}})
	old, err := e.Leader(bounded(t))
	if err != nil {
		t.Fatal(err)
	}
	others := slices.DeleteFunc(slices.Clone(e.Servers()), func(s *zktest.Server) bool { return s == old })
	r := newRivals(t, "/locks/deposed", old.Addr(), 12*time.Second, others[0].Addr(), others[1].Addr())
	defer r.leave()

	// The holder asks all the time, so that something is under way when the old leader
	// goes on.
	session := r.holder.session()
	asking, stop := context.WithCancel(t.Context())
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		for asking.Err() == nil && r.lock.Err() == nil {
			_ = session.Barrier(asking)
		}
	}()
	defer func() { stop(); <-asked }()
	if err := old.Pause(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = old.Resume() }()
	cut := time.Now()
	next := newLeader(t, others)
	// As late as the old leader has to be asked for the holder to gain by it: a quarter of
	// the timeout after a ping, which is sent after a third, and before it hangs up.
	for next == nil || time.Since(cut) < 7400*time.Millisecond {
		next = newLeader(t, others)
	}
	if err := old.Resume(); err != nil {
		t.Fatal(err)
	}
	for begin := time.Now(); time.Since(begin) < burst; {
		_, _ = old.FourLetter(bounded(t), "ruok")
	}
	if err := old.Pause(); err != nil {
		t.Fatal(err)
	}
	r.judge("a deposed leader")
	_ = old.Resume()
}

// newLeader is who leads, as soon as somebody does.
func newLeader(t *testing.T, servers []*zktest.Server) *zktest.Server {
	t.Helper()
	for _, s := range servers {
		if stats, err := s.Stats(bounded(t)); err == nil && stats["zk_server_state"] == "leader" {
			return s
		}
	}
	return nil
}

// A follower is cut off from the others, with the client. The leader knows of the
// client's session what the follower told it with its last answer to a ping.
func TestAFollowerThatIsCutOffBeforeItsPing(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	const tick = 4 * time.Second
	e := zktest.OwnEnsemble(t, 3, zktest.Options{TickTime: tick})
	leader, err := e.Leader(bounded(t))
	if err != nil {
		t.Fatal(err)
	}
	follower := e.Servers()[0]
	if follower == leader {
		follower = e.Servers()[1]
	}
	// Of so many sessions, with timeouts that lie apart, some are met at the worst moment
	// of the leader's clock.
	var all []*rivals
	for i := range 12 {
		all = append(all, newRivals(t, fmt.Sprintf("/locks/follower-%d", i), follower.Addr(), 2*tick+time.Duration(i)*tick/12, leader.Addr()))
	}
	for _, r := range all {
		defer r.leave()
	}
	// They write at the last moment, and so gain as much as can be had by that.
	begin := zookeeper.Now()
	for zookeeper.Now().Sub(begin) < tick/2+tick/4 {
		for _, r := range all {
			if err := r.holder.session().Barrier(bounded(t)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := follower.Pause(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = follower.Resume() }()
	for i, r := range all {
		r.judge(fmt.Sprintf("session %d, timeout %v", i, r.lock.SessionTimeout()))
	}
	_ = follower.Resume()
}
