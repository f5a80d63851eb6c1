// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

var (
	// ErrBusy says that others hold the lock: see [BusyError].
	ErrBusy = errors.New("the lock is held")
	// ErrDeadlock says that waiting would never end: see [DeadlockError].
	ErrDeadlock = errors.New("deadlock")
	// ErrDisagree says that another contender takes the lock for another kind: see
	// [DisagreeError].
	ErrDisagree = errors.New("the contenders disagree about the lock")
	// ErrNotReserved says that others can take or break the lock, though it is to be the
	// user's alone: see [NotReservedError].
	ErrNotReserved = errors.New("others may change the lock's directory")
	// ErrNodeGone says that somebody else deleted our node.
	ErrNodeGone = errors.New("somebody deleted its znode")
	// ErrUsedUp says that the directory has no more sequence numbers. They end at
	// 2147483647, and later contenders would not queue in the order of their creation.
	ErrUsedUp = errors.New("the directory's sequence numbers are used up")
	// ErrNotDurable says that a znode is not a durable lock of this provider.
	ErrNotDurable = errors.New("not a durable lock")
)

// BusyError says who held the lock when our wait for it ended.
type BusyError struct {
	LockID  string
	Dir     string        // the lock's directory
	Waited  time.Duration // how long at most; 0 for a single try
	Place   int           // ours in the queue: 1 would be the next to get it
	Holders []Entry       // the first few
	More    int           // how many others hold it, too
}

// Error names the lock, its first few holders and our place in the queue.
func (e *BusyError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "lock %q is held", e.LockID)
	for i, h := range e.Holders {
		b.WriteString([]string{" by ", " and "}[min(i, 1)])
		b.WriteString(h.String())
	}
	if e.More > 0 {
		fmt.Fprintf(&b, " and %d more", e.More)
	}
	if e.Waited > 0 {
		fmt.Fprintf(&b, "; not free within %v", e.Waited)
	}
	fmt.Fprintf(&b, "; we were at place %d of the queue", e.Place)
	return b.String()
}

// Is makes a BusyError an [ErrBusy].
func (e *BusyError) Is(target error) bool { return target == ErrBusy }

// Link is a part of a circle of runs that wait for each other: a run waits for the lock in
// Dir, behind the contender of the next run.
type Link struct {
	Dir    string
	Before Entry // the next run's contender
	Holds  bool  // that contender holds the lock; otherwise it waits, too
}

// Lock is the lock's name in the path.
func (l Link) Lock() string { return nameOf(l.Dir) }

// DeadlockError says that our wait would never end: each run of the circle waits for a lock
// until the next run releases it, and the last run is ours. Our contender closed the circle,
// so the others go on when it has left.
type DeadlockError struct {
	LockID string
	Circle []Link // the first is our wait; the last one's Before is ours
}

// Error names the circle, lock by lock.
func (e *DeadlockError) Error() string {
	return fmt.Sprintf("lock %q: waiting would never end: %s", e.LockID, strings.Join(e.Tell(), "; "))
}

// Tell has a line for each run of the circle: which lock it waits for, and behind which run.
func (e *DeadlockError) Tell() []string {
	lines := make([]string, 0, len(e.Circle))
	who := "this run"
	for i, link := range e.Circle {
		next := "this run"
		if i < len(e.Circle)-1 {
			next = link.Before.Who()
		}
		does := "holds"
		if !link.Holds {
			does = "waits for before it"
		}
		lines = append(lines, fmt.Sprintf("%s waits for lock %q, which %s %s", who, link.Lock(), next, does))
		who = next
	}
	return lines
}

// Is makes a DeadlockError an [ErrDeadlock].
func (e *DeadlockError) Is(target error) bool { return target == ErrDeadlock }

// NotReservedError says who may change the lock's directory, or what is in it.
type NotReservedError struct {
	Dir    string
	Others []string // as entries of an ACL
}

// Error names the directory, and the first few of the others.
func (e *NotReservedError) Error() string {
	return fmt.Sprintf("%v: %s, by %s", ErrNotReserved, shown(e.Dir), zookeeper.FirstOf(e.Others))
}

// Is makes a NotReservedError an [ErrNotReserved].
func (e *NotReservedError) Is(target error) bool { return target == ErrNotReserved }

// LeftError says that our node may stay in the queue, and hold the lock later.
type LeftError struct {
	Znode   string // its path, or the beginning of that, followed by "…"
	Durable bool   // it stays until somebody deletes it; otherwise until our session ends
	Err     error
}

// Error names the znode, says until when it stays, and what to do.
func (e *LeftError) Error() string {
	if e.Durable {
		return fmt.Sprintf("znode %s may have become a durable lock, which stays until it is deleted or imported: %v", shown(e.Znode), e.Err)
	}
	return fmt.Sprintf("znode %s could not be deleted and stays in the queue until this run ends: %v", shown(e.Znode), e.Err)
}

// Unwrap returns the cause.
func (e *LeftError) Unwrap() error { return e.Err }

// DisagreeError says which contender takes the lock for another kind than we do, or for a
// semaphore with another number of slots.
type DisagreeError struct {
	LockID string
	Slots  int // ours; 0 for a plain lock
	Other  Entry
}

// Error names both kinds and the other contender.
func (e *DisagreeError) Error() string {
	return fmt.Sprintf("lock %q is %s here and %s for %s", e.LockID, kind(e.Slots), kind(e.OtherSlots()), e.Other)
}

// OtherSlots is what the other contender said; 0 for a plain lock, and -1 for a
// semaphore of another client, which does not say.
func (e *DisagreeError) OtherSlots() int {
	if e.Other.Contender.Mode == Semaphore && e.Other.Contender.Slots == 0 {
		return -1
	}
	return e.Other.Contender.Slots
}

// Is makes a DisagreeError an [ErrDisagree].
func (e *DisagreeError) Is(target error) bool { return target == ErrDisagree }

func kind(slots int) string {
	switch {
	case slots > 0:
		return fmt.Sprintf("a semaphore with slots = %d", slots)
	case slots < 0:
		return "a semaphore"
	default:
		return "a plain lock, without slots"
	}
}
