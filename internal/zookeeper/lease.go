// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"sync"
	"time"
)

// lease is until when the ensemble surely keeps a session.
//
// The leader ends a session when it has not heard of it for the session timeout. That
// can be earlier than one timeout after the last answer to us, for two reasons. A
// server that was the leader, and does not know that another one is, still answers
// reads and syncs: only the answer to a write proves that a quorum follows the leader.
// And a leader hears of a session on a follower only in the follower's answer to a
// ping, every half tick. The write itself takes another way (LearnerHandler in
// ZooKeeper). So when the leader gets the write, it may know of nothing later than
// what reached the follower half a tick before.
//
// What counts is therefore the latest packet that was sent at least half a tick before
// a write that was answered. The least timeout that a server grants is two ticks, unless
// minSessionTimeout says less. So half a tick is at most a quarter of the timeout. With
// a write every quarter of the timeout, the lease ends three quarters of the timeout
// after the last write that was answered was sent.
type lease struct {
	mu    sync.Mutex
	sent  []Instant // when packets were sent, the oldest first; not every one
	until Instant
}

// thinning is how many packets are noted in a session timeout at most.
const thinning = 32

// note takes note that a packet is sent now. Before there is a session, and so a
// timeout, only the last packet counts, which is the handshake.
func (l *lease) note(now Instant, timeout time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.sent); n > 0 && now.Sub(l.sent[n-1]) < timeout/thinning {
		return
	}
	l.sent = append(l.sent, now)
	for len(l.sent) > 1 && l.sent[1] <= now.Add(-timeout/4) {
		l.sent = l.sent[1:] // the next one is as good for every later write
	}
}

// basis is the instant from which the leader counts if a write that is sent now is
// answered. If nothing was sent a quarter of the timeout ago, that is when the handshake
// of the new session was sent, because it reaches the leader itself. Packets of an
// earlier connection count too, because the handshake of this one came after them.
func (l *lease) basis(now Instant, timeout time.Duration) Instant {
	l.mu.Lock()
	defer l.mu.Unlock()
	basis := now.Add(-timeout)
	for i, sent := range l.sent {
		if i > 0 && sent > now.Add(-timeout/4) {
			break
		}
		basis = sent
	}
	return basis
}

// answered takes note that a write with this basis was answered.
func (l *lease) answered(basis Instant, timeout time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.until = max(l.until, basis.Add(timeout))
}

func (l *lease) aliveUntil() Instant {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.until
}
