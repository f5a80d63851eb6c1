// SPDX-License-Identifier: MPL-2.0

package holder

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// ErrEnded says that the holder, or the run that it works for, has ended.
var ErrEnded = errors.New("holder: has ended")

// ErrUnconfirmed says that a request may have been carried out, or not.
var ErrUnconfirmed = errors.New("holder: ZooKeeper did not confirm it within the connect timeout")

// Holder takes locks and keeps them until they are released or the run ends.
// Its methods are safe for concurrent use.
//
// A run takes a lock once. A request for a lock that the run holds gets a grant at once.
// A request for a lock that the run waits for waits, too. The lock is released with its
// last grant.
type Holder interface {
	// Acquire waits for the lock as [locker.Acquire] does and with its errors. The
	// error is a [*ConflictError] if the run holds the lock in another way, and an
	// [*InterruptedError] if the run was interrupted and gets no more locks. If
	// ctx ends first, there is no grant when Acquire returns, or it is released as
	// soon as ZooKeeper can be reached. A durable lock stays when the run and the
	// holder process end.
	Acquire(ctx context.Context, req Request) (Grant, error)
	// Release releases a grant, whichever process of the run got it. If it is the last
	// grant of its lock, Release returns nil once the server has confirmed that the
	// lock's znode is gone. It returns nil for a grant that this holder does not know. The
	// error is a [*LostError] if the lock was lost before: the grant is released then.
	Release(ctx context.Context, znode Znode) error
	// Describe replaces the info that a durable lock shows to those who wait.
	Describe(ctx context.Context, znode Znode, info string) error
	// Own lists the nodes by which the run holds the lock in a directory: those that this
	// holder was granted and has not lost, whatever a znode says.
	Own(ctx context.Context, dir string) ([]locker.Identity, error)
}

// Request says which lock to take, where, and what to do if it is lost.
type Request struct {
	Ensemble zookeeper.Config
	// Lock is what to ask for. The holder itself fills in the run, its host and
	// its process.
	Lock locker.Request
	// Interrupt asks to interrupt the run if the lock is lost before this grant is
	// released. A loss is reported in any case.
	Interrupt bool
	// MaxHold, if not 0, is after how long the run is interrupted if it still holds the
	// lock. The lock stays held until the run has ended. If requests share a lock, the
	// first whose time is over counts. Not for a durable lock.
	MaxHold time.Duration
	// Optional says that the run goes on without the lock. Otherwise it is expected to
	// fail: if its wait is a deadlock, it gives up all its waits.
	Optional bool
	// Announce asks to tell the user on the run's standard error how a long wait for the
	// lock goes. Not for a caller that tells the user itself.
	Announce bool
}

// Grant is a share in a lock that is held.
type Grant struct {
	ID    string // unique; empty for a durable lock
	Znode string // absolute path of the node
	Token int64  // see locker.Lock.Token
	// SessionTimeout is what the server granted, which can differ from what the
	// request asked for.
	SessionTimeout time.Duration
}

// Znode names a grant of a lock: the path of its node, and the ensemble.
type Znode struct {
	Ensemble zookeeper.Config
	Path     string
	Grant    string // Grant.ID; not needed for a durable lock
	Durable  bool
}

// Loss says which lock was lost, when and why.
type Loss struct {
	LockID string
	Znode  string
	At     time.Time
	Cause  string
}

// Overdue says which lock has been held for as long as it may be.
type Overdue struct {
	LockID  string
	Znode   string
	MaxHold time.Duration
}

// causeEnded is the cause of losses when the holder process was killed.
const causeEnded = "the process that held it has ended"

// LostError is a [Loss] as an error.
type LostError struct{ Loss }

// Error tells the whole loss.
func (e *LostError) Error() string {
	return fmt.Sprintf("lock %q (%s) was lost at %s: %s", e.LockID, e.Znode, e.At.Format(time.RFC3339), e.Cause)
}

// InterruptedError says why a run gets no more locks: it has lost one. Without a LockID
// only the Cause says why.
type InterruptedError struct{ Loss }

// Error tells the loss.
func (e *InterruptedError) Error() string {
	if e.LockID == "" {
		return "this run gets no more locks: " + e.Cause
	}
	return fmt.Sprintf("this run gets no more locks: %v", &LostError{e.Loss})
}

// ConflictError says that the run holds the lock, or waits for it, in another way than
// the request asks for.
type ConflictError struct {
	LockID      string
	Held, Asked string // how, in words
}

// Error tells both ways.
func (e *ConflictError) Error() string {
	return fmt.Sprintf("this run has lock %q as %s, and cannot have it as %s at the same time", e.LockID, e.Held, e.Asked)
}

// SilentError says that the holder process does not answer.
type SilentError struct{ PID int }

// Error says what to do about it.
func (e *SilentError) Error() string {
	return fmt.Sprintf("the process that holds this run's locks (pid %d) does not answer: it may be stopped. Continue it (kill -CONT %[1]d), or end this run", e.PID)
}

// Unavailable is a holder for a process that has none: every request fails by err.
func Unavailable(err error) Holder { return unavailable{err} }

type unavailable struct{ error }

func (u unavailable) Acquire(context.Context, Request) (Grant, error) { return Grant{}, u.error }
func (u unavailable) Release(context.Context, Znode) error            { return u.error }
func (u unavailable) Describe(context.Context, Znode, string) error   { return u.error }

// Own is nothing: no lock was taken.
func (u unavailable) Own(context.Context, string) ([]locker.Identity, error) { return nil, nil }
