// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"context"
	"fmt"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// NoLimit as [Request.Wait] queues until the lock is ours.
const NoLimit time.Duration = -1

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
	// Layout is how our node is named; empty for Standard.
	Layout Layout
	// Durable asks for a lock that outlives its session: see [Lock.Durable].
	Durable bool
	Data    Data
	// Others lists the directories of the other locks that the run has in the same ensemble
	// or waits for. With it, a wait that would never end, because each run of a circle waits
	// for the next one, ends in a [*DeadlockError]. It needs [Data.Run].
	Others func() []string
	// GiveUp, if not nil, is called with a [*DeadlockError] before our node is removed
	// because of it. When it returns, the run should wait for nothing else. Otherwise
	// another run that sees our node gone, and another wait of this run, could take that for
	// a deadlock that it has to end.
	GiveUp func(context.Context, error)
	// Waiting, if not nil, is called after each look at the queue in which we do not hold
	// the lock. It must not block.
	Waiting func(Waiting)
}

// Waiting is how a queue stands for a waiter.
type Waiting struct {
	Znode   string // the waiter's
	Place   int    // 1 is the next to get the lock
	Holders int    // how many hold the lock, of those before us
	Next    Entry  // who has to leave before us: if we are the next, one that holds the lock
}

// waitingAt is how the queue stands for queue[place], which does not hold the lock.
func waitingAt(znode string, queue []Contender, place, slots int, next Entry) Waiting {
	holding := countHolders(queue, slots)
	return Waiting{Znode: znode, Place: place - holding + 1, Holders: holding, Next: next}
}

// Sessions gives the session to queue with: the living one, or a new one when
// the last was lost.
type Sessions func(context.Context) (*zookeeper.Session, error)

// validate says what is wrong with a request.
func (r Request) validate() error {
	err := func() error {
		if err := ValidateLockID(r.LockID); err != nil {
			return fmt.Errorf("the lockid %s: %w", zookeeper.Quote(r.LockID), err)
		}
		if err := ValidateDirectory(r.Dir); err != nil {
			return err
		}
		plain := r.Mode == "" || r.Mode == Exclusive
		switch {
		case r.Wait < 0 && r.Wait != NoLimit, r.Wait > MaxWait:
			return fmt.Errorf("the wait %v", r.Wait)
		case r.Slots < 0, r.Slots > MaxSlots:
			return fmt.Errorf("%d slots", r.Slots)
		case !plain && r.Mode != Shared:
			return fmt.Errorf("the mode %.20q", r.Mode)
		case !plain && r.Slots > 0:
			return fmt.Errorf("the mode %.20q with slots", r.Mode)
		case r.Layout != "" && r.Layout != Standard && r.Layout != Curator:
			return fmt.Errorf("the layout %.20q", r.Layout)
		case r.Layout == Curator && (!plain || r.Slots > 0):
			return fmt.Errorf("the layout %.20q for other than an exclusive lock", r.Layout)
		}
		return nil
	}()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRequest, err)
	}
	return nil
}
