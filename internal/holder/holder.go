package holder

import (
	"context"
	"errors"

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
	// go as soon as ZooKeeper can be reached.
	Acquire(ctx context.Context, req Request) (Grant, error)
	// Release gives up the lock whose contender is znode and returns once the
	// server has confirmed it. held is false if this holder does not hold it.
	Release(ctx context.Context, znode Znode) (held bool, err error)
}

// Request says which lock to take, and where.
type Request struct {
	Ensemble zookeeper.Config
	// Lock is what to ask for. The holder itself fills in the run, its host and
	// its process.
	Lock locker.Request
}

// Grant is a lock that is held.
type Grant struct {
	Znode string // absolute path of the contender
	Token int64  // see locker.Lock.Token
}

// Znode names a contender: its path and the ensemble where it stands.
type Znode struct {
	Ensemble zookeeper.Config
	Path     string
}
