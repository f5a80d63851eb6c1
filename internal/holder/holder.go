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

// Holder takes locks and keeps them until they are released or the run ends.
// Its methods are safe for concurrent use.
type Holder interface {
	// Acquire waits for the lock as [locker.Acquire] does and with its errors.
	// When ctx ends first, the lock is not held when Acquire returns, or is let
	// go as soon as ZooKeeper can be reached. A durable lock is the caller's from
	// then on: it stays when the run and the holder end.
	Acquire(ctx context.Context, req Request) (Grant, error)
	// Release gives up a lock and returns nil once the server has confirmed that
	// its znode is gone. A lock that is not durable and that this holder does not
	// hold is left alone. The error is a [*LostError], with the lock given up all
	// the same, if the lock was lost while it should have been held.
	Release(ctx context.Context, znode Znode) error
	// Describe replaces the info that a durable lock shows to those who wait.
	Describe(ctx context.Context, znode Znode, info string) error
}

// Request says which lock to take, where, and what to do if it is lost.
type Request struct {
	Ensemble zookeeper.Config
	// Lock is what to ask for. The holder itself fills in the run, its host and
	// its process.
	Lock locker.Request
	// Interrupt asks to interrupt the run if the lock is lost before it is
	// released. A loss is reported in any case.
	Interrupt bool
}

// Grant is a lock that is held.
type Grant struct {
	Znode string // absolute path of the contender
	Token int64  // see locker.Lock.Token
	// SessionTimeout is what the server granted, which can differ from what the
	// request asked for.
	SessionTimeout time.Duration
}

// Znode names a contender: its path and the ensemble where it stands.
type Znode struct {
	Ensemble zookeeper.Config
	Path     string
	Durable  bool // whoever took it
}

// Loss says which lock was lost, when and why.
type Loss struct {
	LockID string
	Znode  string
	At     time.Time
	Cause  string
}

// causeEnded is why locks are lost whose holder process was killed.
const causeEnded = "the process that held it has ended"

// LostError is a [Loss] as an error.
type LostError struct{ Loss }

// Error tells the whole loss.
func (e *LostError) Error() string {
	return fmt.Sprintf("lock %q (%s) was lost at %s: %s", e.LockID, e.Znode, e.At.Format(time.RFC3339), e.Cause)
}
