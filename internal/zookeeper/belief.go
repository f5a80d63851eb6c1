package zookeeper

import (
	"sync"
	"time"
)

// belief is until when the ensemble surely keeps a session.
//
// The leader ends a session when it has not heard of it for the session timeout. Two
// things keep "timeout after our last answered request" from being that instant. A
// server that is no longer the leader, and does not know it yet, goes on answering
// reads and syncs: only the answer to a write proves that a quorum still follows the
// leader. And a leader hears of a session on a follower only in the follower's answer
// to a ping, every half tick, while the write itself passes on another way
// (LearnerHandler in ZooKeeper): at the instant of a write it may know of nothing
// later than what reached the follower half a tick before.
//
// So what counts is the latest packet that was sent at least half a tick before a
// write that was answered. A tick is half of the timeout at most, as the least timeout
// that a server grants is two ticks unless minSessionTimeout says less; hence a quarter
// of the timeout. With a write every quarter of the timeout, the session is believed in
// for three quarters after the sending of the last one that was answered.
type belief struct {
	mu    sync.Mutex
	sent  []Instant // when packets were sent, the oldest first; not every one
	until Instant
}

// thinning is how many packets are noted in a session timeout at most.
const thinning = 32

// note takes down that a packet is sent now. Before there is a session, and so a
// timeout, only the last one counts, which is the handshake's.
func (b *belief) note(now Instant, timeout time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n := len(b.sent); n > 0 && now.Sub(b.sent[n-1]) < timeout/thinning {
		return
	}
	b.sent = append(b.sent, now)
	for len(b.sent) > 1 && b.sent[1] <= now.Add(-timeout/4) {
		b.sent = b.sent[1:] // the next one is as good for every write to come
	}
}

// basis is the instant from which the leader counts if a write that is sent now is
// answered. Where nothing was sent a quarter of the timeout ago it is the sending of the
// handshake that made the session, which reaches the leader itself.
// What was sent on an earlier connection counts as well: the handshake of the present
// one came after it.
func (b *belief) basis(now Instant, timeout time.Duration) Instant {
	b.mu.Lock()
	defer b.mu.Unlock()
	basis := now.Add(-timeout)
	for i, sent := range b.sent {
		if i > 0 && sent > now.Add(-timeout/4) {
			break
		}
		basis = sent
	}
	return basis
}

// answered takes note that a write with this basis was answered.
func (b *belief) answered(basis Instant, timeout time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.until = max(b.until, basis.Add(timeout))
}

func (b *belief) aliveUntil() Instant {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.until
}
