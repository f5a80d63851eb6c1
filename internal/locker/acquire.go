// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// verdictTime bounds what an acquire may take beyond its wait once it had a
// session, for the requests to an ensemble that is slow or away.
const verdictTime = 15 * time.Second

var errNoVerdict = fmt.Errorf("no verdict from ZooKeeper within %v after the wait", verdictTime)

const (
	// withdrawTime is how long an acquire that has failed waits until its node is removed.
	// After that the removal goes on in the background.
	withdrawTime = 2 * time.Second
	// durableWithdrawTime is the same for a node that may be durable, which no session's end
	// removes.
	durableWithdrawTime = time.Minute
)

// Acquire queues for the lock and returns it once it is held. Otherwise nothing
// of ours stays in the queue, and the error is
//   - a [*BusyError] when req.Wait was over,
//   - a [*DeadlockError] if we would wait for a run that waits for ours,
//   - a [*DisagreeError] if another contender takes it for another kind of lock,
//   - an [ErrRequest] if there can be no such lock,
//   - an [ErrNotReserved] if the lock is to be the session's user's alone, but its
//     directory is everyone's,
//   - an [ErrUsedUp] if the directory has no more sequence numbers,
//   - the context's cause when ctx ended,
//   - else what ZooKeeper or the connection to it said.
//
// A session that expires while waiting costs the place in the queue, not the
// deadline. A node that the server cannot be asked to remove at once is
// removed as soon as it can be, or ends with its session. One that the server will not
// remove, or that may have become durable before the connection was lost, is named by a
// [*LeftError] beside the other error.
func Acquire(ctx context.Context, sessions Sessions, req Request) (*Lock, error) {
	if err := req.validate(); err != nil {
		return nil, err
	}
	w := &waiter{req: req, sessions: sessions}
	if req.Wait >= 0 {
		w.deadline = time.Now().Add(req.Wait)
	}
	s, err := sessions(ctx)
	if err == nil && req.Wait >= 0 {
		limit := time.Now()
		if limit.Before(w.deadline) {
			limit = w.deadline
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadlineCause(ctx, limit.Add(verdictTime), errNoVerdict)
		defer cancel()
	}
	for err == nil {
		if err = w.acquire(ctx, s); err == nil {
			return newLock(w.node), nil //nolint:contextcheck // it is kept for longer than ctx
		}
		lost := s.Err() != nil && ctx.Err() == nil
		again := lost || (errors.Is(err, ErrNodeGone) || errors.Is(err, errRetired)) && ctx.Err() == nil
		if !lost { // otherwise the next session tells what has become of our node
			err = errors.Join(err, w.withdraw(ctx))
		}
		if again {
			s, err = sessions(ctx)
		}
	}
	if left := w.withdraw(ctx); left != nil {
		err = errors.Join(err, left)
	}
	if errors.Is(err, ErrBusy) || errors.Is(err, ErrDeadlock) || errors.Is(err, ErrDisagree) {
		return nil, err
	}
	return nil, fmt.Errorf("lock %q: %w", req.LockID, err)
}

// acquire queues with one session, and returns nil when our node holds the lock.
func (w *waiter) acquire(ctx context.Context, s *zookeeper.Session) error {
	err := w.resume(ctx, s)
	if err == nil && w.node == nil {
		err = w.queue(ctx, s)
	}
	if err == nil && w.req.Durable {
		err = w.promote(ctx)
	}
	return err
}

// resume decides what to do about a node that we queued with in a session which is over. We
// go on with a durable one. Any other is removed.
func (w *waiter) resume(ctx context.Context, s *zookeeper.Session) error {
	n := w.node
	if n == nil {
		return nil
	}
	<-n.created
	durable, err := n.rejoin(ctx, s)
	if err != nil {
		return err
	}
	if !durable {
		n.done()
		w.node = nil
		return nil
	}
	return w.wait(ctx)
}

// queue joins the queue, and returns nil when our node holds the lock.
func (w *waiter) queue(ctx context.Context, s *zookeeper.Session) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	n := &node{
		session: s, sessions: w.sessions, done: s.Use(), dir: w.req.Dir,
		prefix: newPrefix(w.req.Data.Run, w.req.Mode, w.req.Slots, w.req.Layout),
		data:   w.req.Data, created: make(chan struct{}),
	}
	n.data.Since, n.data.HeldSince, n.data.Once = time.Now(), time.Time{}, w.req.Wait == 0
	w.node = n
	var first bool
	var err error
	begin := zookeeper.Now()
	go func() {
		defer close(n.created)
		// To its end, whatever becomes of ctx: a request that nobody waits for any more
		// could create the node after withdraw has looked for it.
		first, err = n.join(context.WithoutCancel(ctx))
	}()
	select {
	case <-n.created:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if err != nil {
		return err
	}
	if first && s.Alive() == nil && zookeeper.Now().Sub(begin) < s.Timeout()/4 {
		return nil // a quorum has just said so
	}
	return w.wait(ctx)
}

// withdraw removes what a failed acquire may have left: our node, or those that a lost
// reply hides. It waits a moment for the server to confirm that. Then it goes on in the
// background, until the server has confirmed it or our session is over, which removes them,
// too. It returns a [*LeftError] for what stays.
func (w *waiter) withdraw(ctx context.Context) error {
	n := w.node
	if n == nil {
		return nil
	}
	w.node = nil
	patience := withdrawTime
	if n.maybeDurable {
		patience = durableWithdrawTime
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	err := n.remove(ctx)
	if left := (*LeftError)(nil); errors.As(err, &left) {
		return left
	}
	return nil // it ends with its session
}
