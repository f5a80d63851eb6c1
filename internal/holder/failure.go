package holder

import (
	"context"
	"errors"
	"fmt"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// Failure carries an error from process to process without losing its kind.
type Failure struct {
	Message     string
	Kinds       []int // indices of kinds
	Lost        *LostError
	Interrupted *InterruptedError
	Conflict    *ConflictError
	Busy        *locker.BusyError
	Deadlock    *locker.DeadlockError
	Disagree    *locker.DisagreeError
	Connect     *connectFailure
	Left        *leftFailure
}

// leftFailure is a locker.LeftError.
type leftFailure struct {
	Znode   string
	Durable bool
	Cause   string
}

// connectFailure is a zookeeper.ConnectError.
type connectFailure struct {
	Servers     []string
	Cause, Hint string
}

// kinds are the errors without content by which callers tell errors apart. Both
// ends have the same protocol version, so an index will do.
var kinds = []error{
	context.Canceled, ErrEnded, ErrUnconfirmed,
	zookeeper.ErrNoAuth, zookeeper.ErrAuthRequired, zookeeper.ErrLocalSession, zookeeper.ErrInvalidACL, zookeeper.ErrEphemeralParent, zookeeper.ErrQuotaExceeded,
	locker.ErrNotDurable, locker.ErrNotReserved, locker.ErrRequest, locker.ErrUsedUp,
}

func newFailure(err error) *Failure {
	if err == nil {
		return nil
	}
	if errors.Is(err, zookeeper.ErrClosed) {
		err = fmt.Errorf("%w: %w", ErrEnded, err)
	}
	f := &Failure{Message: err.Error()}
	for i, kind := range kinds {
		if errors.Is(err, kind) {
			f.Kinds = append(f.Kinds, i)
		}
	}
	errors.As(err, &f.Lost)
	errors.As(err, &f.Interrupted)
	errors.As(err, &f.Conflict)
	errors.As(err, &f.Busy)
	errors.As(err, &f.Deadlock)
	errors.As(err, &f.Disagree)
	if connect := (*zookeeper.ConnectError)(nil); errors.As(err, &connect) {
		f.Connect = &connectFailure{connect.Servers, connect.Cause.Error(), connect.Hint}
	}
	if left := (*locker.LeftError)(nil); errors.As(err, &left) {
		f.Left = &leftFailure{left.Znode, left.Durable, left.Err.Error()}
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
		if kind >= 0 && kind < len(kinds) {
			e.kinds = append(e.kinds, kinds[kind])
		}
	}
	add(e, f.Lost, f.Lost != nil)
	add(e, f.Interrupted, f.Interrupted != nil)
	add(e, f.Conflict, f.Conflict != nil)
	add(e, f.Busy, f.Busy != nil)
	add(e, f.Deadlock, f.Deadlock != nil)
	add(e, f.Disagree, f.Disagree != nil)
	if f.Connect != nil {
		e.kinds = append(e.kinds, &zookeeper.ConnectError{Servers: f.Connect.Servers, Cause: errors.New(f.Connect.Cause), Hint: f.Connect.Hint})
	}
	if f.Left != nil {
		e.kinds = append(e.kinds, &locker.LeftError{Znode: f.Left.Znode, Durable: f.Left.Durable, Err: errors.New(f.Left.Cause)})
	}
	return e
}

func add(e *remoteError, kind error, there bool) {
	if there {
		e.kinds = append(e.kinds, kind)
	}
}

// remoteError is an error of the holder process, with its message and its kinds.
type remoteError struct {
	message string
	kinds   []error
}

func (e *remoteError) Error() string   { return e.message }
func (e *remoteError) Unwrap() []error { return e.kinds }
