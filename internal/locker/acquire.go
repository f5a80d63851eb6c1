package locker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// NoLimit as [Request.Wait] queues until the lock is ours.
const NoLimit time.Duration = -1

const (
	// MaxWait is the longest [Request.Wait] with an end.
	MaxWait = 365 * 24 * time.Hour
	// MaxSlots is the most [Request.Slots].
	MaxSlots = 1000
)

// verdictTime bounds what an acquire may take beyond its wait once it had a
// session, for the requests to an ensemble that is slow or away.
const verdictTime = 15 * time.Second

// Request says which lock to take.
type Request struct {
	LockID string // for messages
	Dir    string // see Directory
	// Wait is how long to queue: 0 tries once, NoLimit waits until the lock is
	// ours. It counts from the call, with everything that happens meanwhile.
	Wait time.Duration
	// Mode is Exclusive or Shared; empty for Exclusive, and for a semaphore.
	Mode Mode
	// Slots, if not 0, makes the lock a semaphore that so many hold at once.
	Slots int
	// Layout is how the contender's znode is named; empty for Standard.
	Layout Layout
	// Durable asks for a lock that outlives its session: see [Lock.Durable].
	Durable bool
	Data    Data
	// Others tells the directories of the other locks that the run has in the same ensemble
	// or waits for. With it a wait for a lock that would never end, as each run of a circle
	// waits for the next one, ends in a [*DeadlockError]. It needs [Data.Run].
	Others func() []string
	// GiveUp, if not nil, is called with a [*DeadlockError] before our contender leaves for
	// it. When it returns the run should wait for nothing else: who sees our contender gone,
	// and another one of the run wait, could take that for a deadlock that it has to end.
	GiveUp func(context.Context, error)
	// Waiting, if not nil, is told each time our place in the queue was looked at
	// and is none that holds the lock. It must not block.
	Waiting func(Waiting)
}

// Waiting is how a queue stands for one who waits.
type Waiting struct {
	Znode   string // of who waits
	Place   int    // 1 is the next to get the lock
	Holders int    // how many hold the lock, of those before us
	Next    Entry  // who has to leave before us: if we are the next, one that holds the lock
}

// Sessions gives the session to queue with: the living one, or a new one when
// the last was lost.
type Sessions func(context.Context) (*zookeeper.Session, error)

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
// deadline. A contender that the server cannot be asked to remove at once is
// removed as soon as it can be, or ends with its session. One that the server will not
// remove, or that may have become durable before the connection was lost, is named by a
// [*LeftError] beside the other error.
func Acquire(ctx context.Context, sessions Sessions, req Request) (*Lock, error) {
	if err := req.validate(); err != nil {
		return nil, err
	}
	a := &attempt{Request: req, sessions: sessions}
	if req.Wait >= 0 {
		a.deadline = time.Now().Add(req.Wait)
	}
	s, err := sessions(ctx)
	if err == nil && req.Wait >= 0 {
		limit := time.Now()
		if limit.Before(a.deadline) {
			limit = a.deadline
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadlineCause(ctx, limit.Add(verdictTime), errNoVerdict)
		defer cancel()
	}
	for err == nil {
		var lock *Lock
		var again bool
		if lock, again, err = a.queue(ctx, s); err == nil {
			return lock, nil
		}
		if again {
			s, err = sessions(ctx)
		}
	}
	if a.former != nil {
		err = errors.Join(err, a.former.withdraw(ctx))
	}
	if errors.Is(err, ErrBusy) || errors.Is(err, ErrDeadlock) || errors.Is(err, ErrDisagree) {
		return nil, err
	}
	return nil, fmt.Errorf("locker: lock %q: %w", req.LockID, err)
}

var errNoVerdict = fmt.Errorf("no verdict from ZooKeeper within %v after the wait", verdictTime)

// errRetired says that our contender keeps a session alive which is to be closed, because
// it has a znode that cannot be deleted. We could wait for someone who waits for that.
var errRetired = errors.New("the session is to be closed")

// attempt is one call of Acquire.
type attempt struct {
	Request
	sessions Sessions
	deadline time.Time  // zero: none
	former   *candidate // in a session that is over; its znode may still be there
}

// candidate is our contender in one session.
type candidate struct {
	*attempt
	*node
	created chan struct{} // closed once all about its creation is known
}

// queue contends with one session. again says that it is worth another try.
func (a *attempt) queue(ctx context.Context, s *zookeeper.Session) (lock *Lock, again bool, err error) {
	c, err := a.resume(ctx, s)
	if err == nil && c == nil {
		c, err = a.contend(ctx, s)
	}
	if err == nil && a.Durable {
		err = c.promote(ctx)
	}
	if err == nil {
		return newLock(c.node), false, nil //nolint:contextcheck // it is kept for longer than ctx
	}
	over := s.Err() != nil && ctx.Err() == nil
	if c != nil && over {
		a.former = c // the next session tells what has become of it
		return nil, true, err
	}
	again = over || (errors.Is(err, ErrNodeGone) || errors.Is(err, errRetired)) && ctx.Err() == nil
	if c != nil {
		err = errors.Join(err, c.withdraw(ctx))
	}
	return nil, again, err
}

// contend joins the queue and returns our contender when it holds the lock.
func (a *attempt) contend(ctx context.Context, s *zookeeper.Session) (*candidate, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	a.Data.Since, a.Data.HeldSince, a.Data.Once = time.Now(), time.Time{}, a.Wait == 0
	c := &candidate{
		attempt: a,
		node:    &node{session: s, sessions: a.sessions, dir: a.Dir, prefix: newPrefix(a.Request), done: s.Use()},
		created: make(chan struct{}),
	}
	var first bool
	var err error
	begin := zookeeper.Now()
	go func() {
		defer close(c.created)
		// To its end, whatever becomes of ctx: a request that nobody waits for any
		// more could make the contender after withdraw has looked for it.
		first, err = c.join(context.WithoutCancel(ctx), c.Data)
	}()
	select {
	case <-c.created:
	case <-ctx.Done():
		return c, context.Cause(ctx)
	}
	if first {
		c.Data.HeldSince = c.Data.Since
	}
	switch {
	case err != nil:
		return c, err
	case first && s.Alive() == nil && zookeeper.Now().Sub(begin) < s.Timeout()/4:
		return c, nil // a quorum has just said so
	default:
		return c, c.wait(ctx)
	}
}

// resume decides what to do about a contender that queued with a session which is over.
// If it has become durable we go on with it; else it is removed. It returns nil if there
// is nothing to go on with.
func (a *attempt) resume(ctx context.Context, s *zookeeper.Session) (*candidate, error) {
	c := a.former
	if c == nil {
		return nil, nil //nolint:nilnil // there is nothing to resume
	}
	<-c.created
	c.done()
	c.session, c.done = s, s.Use()
	persistent, err := c.recover(ctx)
	if err != nil {
		return nil, err // a.former stays
	}
	a.former = nil
	if !persistent {
		c.done()
		return nil, nil //nolint:nilnil // as above
	}
	return c, c.wait(ctx)
}

// withdraw removes what an acquire that failed may have left: our contender, or
// those that a lost reply hides. It waits a moment for the server to confirm and
// otherwise goes on in the background until that or the end of the session,
// which removes them too. It returns a [*LeftError] for what stays.
func (c *candidate) withdraw(ctx context.Context) error {
	patience := withdrawTime
	if c.persistent {
		patience = persistentWithdrawTime
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	err := c.remove(ctx, c.created)
	if left := (*LeftError)(nil); errors.As(err, &left) {
		return left
	}
	return nil // it goes with its session
}
