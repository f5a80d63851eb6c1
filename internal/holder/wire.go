package holder

import (
	"context"
	"errors"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/run"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// What goes over the pipe, by net/rpc. An acquire is begun, which is answered at
// once, and then awaited, so that a cancel can never come before what it
// cancels.
const (
	rpcName     = "Holder"
	rpcServe    = rpcName + ".Serve"
	rpcBegin    = rpcName + ".Begin"
	rpcAwait    = rpcName + ".Await"
	rpcCancel   = rpcName + ".Cancel"
	rpcRelease  = rpcName + ".Release"
	rpcDescribe = rpcName + ".Describe"
)

// Nothing stands for no argument and no result.
type Nothing struct{}

// ServeArgs is the provider's first request: whom to work for.
type ServeArgs struct{ Run run.Run }

// Ticket names an acquire that was begun.
type Ticket struct{ ID uint64 }

// DescribeArgs are those of Holder.Describe.
type DescribeArgs struct {
	Znode Znode
	Info  string
}

// Outcome is how a request ended; the grant is that of an acquire.
type Outcome struct {
	Grant   Grant
	Failure *Failure
}

// Failure carries an error over the pipe without losing its kind.
type Failure struct {
	Message  string
	Canceled bool
	Ended    bool
	NoAuth   bool
	Lost     *LostError
	Busy     *locker.BusyError
	OwnRun   *locker.OwnRunError
	Disagree *locker.DisagreeError
	Servers  []string // of a ConnectError
	Cause    string   // of a ConnectError
}

func newFailure(err error) *Failure {
	if err == nil {
		return nil
	}
	f := &Failure{
		Message:  err.Error(),
		Canceled: errors.Is(err, context.Canceled),
		Ended:    errors.Is(err, ErrEnded) || errors.Is(err, zookeeper.ErrClosed),
		NoAuth:   errors.Is(err, zookeeper.ErrNoAuth),
	}
	errors.As(err, &f.Lost)
	errors.As(err, &f.Busy)
	errors.As(err, &f.OwnRun)
	errors.As(err, &f.Disagree)
	if connect := (*zookeeper.ConnectError)(nil); errors.As(err, &connect) {
		f.Servers, f.Cause = connect.Servers, connect.Cause.Error()
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
	switch {
	case f.Busy != nil:
		e.kind = f.Busy
	case f.OwnRun != nil:
		e.kind = f.OwnRun
	case f.Disagree != nil:
		e.kind = f.Disagree
	case f.Servers != nil:
		e.kind = &zookeeper.ConnectError{Servers: f.Servers, Cause: errors.New(f.Cause)}
	case f.Canceled:
		e.kind = context.Canceled
	case f.Lost != nil:
		e.kind = f.Lost
	case f.NoAuth:
		e.kind = zookeeper.ErrNoAuth
	case f.Ended:
		e.kind = ErrEnded
	}
	return e
}

// remoteError is an error of the holder process, with its message and its kind.
type remoteError struct {
	message string
	kind    error
}

func (e *remoteError) Error() string { return e.message }
func (e *remoteError) Unwrap() error { return e.kind }
