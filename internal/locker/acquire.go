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
	// Waiting, if not nil, is told each time our place in the queue was looked at
	// and is none that holds the lock. It must not block.
	Waiting func(Waiting)
}

// Waiting is how a queue stands for one who waits.
type Waiting struct {
	Place int   // 1 is the next to get the lock
	Next  Entry // who has to leave before us
}

// Sessions gives the session to queue with: the living one, or a new one when
// the last was lost.
type Sessions func(context.Context) (*zookeeper.Session, error)

// Acquire queues for the lock and returns it once it is held. Otherwise nothing
// of ours stays in the queue, and the error is
//   - a [*BusyError] when req.Wait was over,
//   - an [*OwnRunError] as soon as contenders of the same run are before us that
//     keep us from it,
//   - a [*DisagreeError] if another contender takes it for another kind of lock,
//   - an [ErrRequest] if there can be no such lock,
//   - an [ErrNotReserved] if the lock is to be the session's user's alone, but its
//     directory is everyone's,
//   - the context's cause when ctx ended,
//   - else what ZooKeeper or the connection to it said.
//
// A session that expires while waiting costs the place in the queue, not the
// deadline. A contender that the server cannot be asked to remove at once is
// removed as soon as it can be, or ends with its session. One that may be durable
// already is waited for longer, as no session's end would remove it.
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
		if lock, err = a.queue(ctx, s); err == nil {
			return lock, nil
		}
		if ctx.Err() == nil && (s.Err() != nil || errors.Is(err, ErrNodeGone) || errors.Is(err, errGaveWay)) {
			s, err = sessions(ctx)
		}
	}
	if a.limbo != nil {
		a.limbo.withdraw(context.WithoutCancel(ctx))
	}
	if errors.Is(err, ErrBusy) || errors.Is(err, ErrOwnRun) || errors.Is(err, ErrDisagree) {
		return nil, err
	}
	return nil, fmt.Errorf("locker: lock %q: %w", req.LockID, err)
}

var errNoVerdict = fmt.Errorf("no verdict from ZooKeeper within %v after the wait", verdictTime)

// attempt is one call of Acquire.
type attempt struct {
	Request
	sessions Sessions
	deadline time.Time  // zero: none
	limbo    *candidate // of a session that was lost while it was being made durable
}

// candidate is our contender in one session.
type candidate struct {
	*attempt
	contender
	prefix   string        // of its name, ours alone
	enqueued chan struct{} // closed once all about its creation is known
	token    int64         // its czxid as first created; 0 before it is known
	seen     sighting      // at the last look; zero before the first
	queued   []Contender
}

// queue contends with one session.
func (a *attempt) queue(ctx context.Context, s *zookeeper.Session) (*Lock, error) {
	c, err := a.resume(ctx, s)
	if err == nil && c == nil {
		c, err = a.contend(ctx, s)
	}
	if err == nil && a.Durable {
		err = c.promote(ctx)
	}
	if err == nil {
		return newLock(ctx, c.contender, c.token), nil
	}
	if c != nil {
		c.withdraw(ctx)
	}
	return nil, err
}

// contend joins the queue and returns our contender when it is the head.
func (a *attempt) contend(ctx context.Context, s *zookeeper.Session) (*candidate, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	a.Data.Since, a.Data.Slots = time.Now(), a.Slots
	c := &candidate{
		attempt:   a,
		contender: contender{session: s, sessions: a.sessions, dir: a.Dir},
		prefix:    newPrefix(a.Request),
		enqueued:  make(chan struct{}),
	}
	var first bool
	var err error
	go func() {
		defer close(c.enqueued)
		// To its end, whatever becomes of ctx: a request that nobody waits for any
		// more could make the contender after withdraw has looked for it.
		first, err = c.enqueue(context.WithoutCancel(ctx))
	}()
	select {
	case <-c.enqueued:
	case <-ctx.Done():
		return c, context.Cause(ctx)
	}
	if err == nil && !first {
		err = c.reserved(ctx)
	}
	if err == nil && !first {
		err = c.wait(ctx)
	} else if err == nil {
		// The answer may have come late, and our session have ended before.
		err = c.confirm(ctx)
	}
	return c, err
}
