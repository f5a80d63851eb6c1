package locker

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

var (
	// ErrBusy says that others hold the lock: see [BusyError].
	ErrBusy = errors.New("locker: lock is held")
	// ErrOwnRun says that the caller's own run has the lock or waits for it
	// already: see [OwnRunError].
	ErrOwnRun = errors.New("locker: lock is taken by this run already")
	// ErrDisagree says that another contender takes the lock for another kind: see
	// [DisagreeError].
	ErrDisagree = errors.New("locker: contenders disagree about the lock")
	// ErrNotReserved says that everyone can break the lock, though it is to be the
	// user's alone: its directory was there already, and is open to all.
	ErrNotReserved = errors.New("locker: the lock's directory is open to everyone")
	// ErrNodeGone says that the contender's znode was deleted by someone else.
	ErrNodeGone = errors.New("locker: contender deleted by someone else")
	// ErrSilence says that no server answered for a whole session timeout, so
	// that the lock may have been given to another.
	ErrSilence = errors.New("locker: no answer for a session timeout")
)

// BusyError says who kept us from the lock when waiting for it ended.
type BusyError struct {
	LockID  string
	Dir     string        // the lock's directory
	Waited  time.Duration // what was waited at most; 0 for a single try
	Place   int           // ours in the queue: 1 would be the next to get it
	Holders []Entry
}

// Error names the lock, its holders and our place in the queue.
func (e *BusyError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "locker: lock %q is held", e.LockID)
	for i, h := range e.Holders {
		b.WriteString([]string{" by ", " and "}[min(i, 1)])
		b.WriteString(h.String())
	}
	if e.Waited > 0 {
		fmt.Fprintf(&b, "; not free within %v", e.Waited)
	}
	fmt.Fprintf(&b, "; we were at place %d of the queue", e.Place)
	return b.String()
}

// Is makes a BusyError an [ErrBusy].
func (e *BusyError) Is(target error) bool { return target == ErrBusy }

// OwnRunError says which contender of our own run is before us: waiting for it
// would be waiting for ourselves.
type OwnRunError struct {
	LockID string
	Other  Entry
}

// Error names the lock and the other contender.
func (e *OwnRunError) Error() string {
	return fmt.Sprintf("locker: lock %q is taken by this run already: %s", e.LockID, shown(e.Other.Znode))
}

// Is makes an OwnRunError an [ErrOwnRun].
func (e *OwnRunError) Is(target error) bool { return target == ErrOwnRun }

// DisagreeError says which contender takes the lock for another kind than ours,
// or for a semaphore with another number of slots.
type DisagreeError struct {
	LockID string
	Slots  int // ours; 0 for a plain lock
	Other  Entry
}

// Error names both kinds and the other contender.
func (e *DisagreeError) Error() string {
	return fmt.Sprintf("locker: lock %q is %s here and %s for %s", e.LockID, kind(e.Slots), kind(e.OtherSlots()), e.Other)
}

// OtherSlots is what the other contender said; 0 for a plain lock, and -1 for a
// semaphore of another client, which does not say.
func (e *DisagreeError) OtherSlots() int {
	if e.Other.Mode == Semaphore && e.Other.Slots == 0 {
		return -1
	}
	return e.Other.Slots
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
