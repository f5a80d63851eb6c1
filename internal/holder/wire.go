package holder

import (
	"context"
	"errors"
	"fmt"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/run"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// What goes over the pipe, by net/rpc. An acquire is answered when it has ended, or
// when its caller is to be told that it has to queue, and is awaited from then on.
const (
	rpcName     = "Holder"
	rpcServe    = rpcName + ".Serve"
	rpcAcquire  = rpcName + ".Acquire"
	rpcAwait    = rpcName + ".Await"
	rpcCancel   = rpcName + ".Cancel"
	rpcRelease  = rpcName + ".Release"
	rpcDescribe = rpcName + ".Describe"
	rpcStopping = rpcName + ".Stopping"
)

// Nothing stands for no argument and no result.
type Nothing struct{}

// ServeArgs is the provider's first request: whom to work for, and the absolute
// path of the log, if there is to be one.
type ServeArgs struct {
	Run     run.Run
	LogPath string
}

// Ticket names an acquire. The provider chooses it, another one each time.
type Ticket struct{ ID uint64 }

// AcquireArgs are those of Holder.Acquire.
type AcquireArgs struct {
	Ticket
	Request Request
}

// AwaitArgs are those of Holder.Await: Queued says that the caller knows already
// that it has to wait.
type AwaitArgs struct {
	Ticket
	Queued bool
}

// DescribeArgs are those of Holder.Describe.
type DescribeArgs struct {
	Znode Znode
	Info  string
}

// Outcome is how a request ended; the grant is that of an acquire. An acquire
// with Waiting has not ended.
type Outcome struct {
	Waiting *locker.Waiting
	Grant   Grant
	Failure *Failure
}

// Failure carries an error over the pipe without losing its kind.
type Failure struct {
	Message  string
	Kinds    []int // indices of sentinels
	Lost     *LostError
	Busy     *locker.BusyError
	OwnRun   *locker.OwnRunError
	Disagree *locker.DisagreeError
	Connect  *connectFailure
}

// connectFailure is a zookeeper.ConnectError.
type connectFailure struct {
	Servers     []string
	Cause, Hint string
}

// sentinels are the errors without content by which callers tell errors apart.
// Both ends of the pipe are the same executable, so an index will do.
var sentinels = []error{
	context.Canceled, ErrEnded, ErrStranger,
	zookeeper.ErrNoAuth, zookeeper.ErrAuthRequired, zookeeper.ErrLocalSession, zookeeper.ErrInvalidACL, zookeeper.ErrEphemeralParent, zookeeper.ErrQuotaExceeded,
	locker.ErrNotDurable, locker.ErrNotReserved, locker.ErrRequest,
}

func newFailure(err error) *Failure {
	if err == nil {
		return nil
	}
	if errors.Is(err, zookeeper.ErrClosed) {
		err = fmt.Errorf("%w: %w", ErrEnded, err)
	}
	f := &Failure{Message: err.Error()}
	for i, sentinel := range sentinels {
		if errors.Is(err, sentinel) {
			f.Kinds = append(f.Kinds, i)
		}
	}
	errors.As(err, &f.Lost)
	errors.As(err, &f.Busy)
	errors.As(err, &f.OwnRun)
	errors.As(err, &f.Disagree)
	if connect := (*zookeeper.ConnectError)(nil); errors.As(err, &connect) {
		f.Connect = &connectFailure{connect.Servers, connect.Cause.Error(), connect.Hint}
	}
	return f
}

// err is the error that the failure was made of, as far as callers tell errors
// apart.
func (f *Failure) err() error {
	if f == nil {
		return nil
	}
	e := &remoteError{message: f.Message}
	for _, kind := range f.Kinds {
		if kind >= 0 && kind < len(sentinels) {
			e.kinds = append(e.kinds, sentinels[kind])
		}
	}
	if f.Lost != nil {
		e.kinds = append(e.kinds, f.Lost)
	}
	if f.Busy != nil {
		e.kinds = append(e.kinds, f.Busy)
	}
	if f.OwnRun != nil {
		e.kinds = append(e.kinds, f.OwnRun)
	}
	if f.Disagree != nil {
		e.kinds = append(e.kinds, f.Disagree)
	}
	if f.Connect != nil {
		e.kinds = append(e.kinds, &zookeeper.ConnectError{Servers: f.Connect.Servers, Cause: errors.New(f.Connect.Cause), Hint: f.Connect.Hint})
	}
	return e
}

// remoteError is an error of the holder process, with its message and its kinds.
type remoteError struct {
	message string
	kinds   []error
}

func (e *remoteError) Error() string   { return e.message }
func (e *remoteError) Unwrap() []error { return e.kinds }
