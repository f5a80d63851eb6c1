// SPDX-License-Identifier: MPL-2.0

package holder

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// Failure carries an error from process to process without losing its kind.
type Failure struct {
	Message string
	Kinds   []int   // indices of kinds
	Details []error // of the types in detailed
}

// kinds are the errors without content by which callers tell errors apart. Both
// ends have the same protocol version, so an index will do.
var kinds = []error{
	context.Canceled, ErrEnded, ErrUnconfirmed, errTaken,
	zookeeper.ErrNoAuth, zookeeper.ErrAuthRequired, zookeeper.ErrLocalSession, zookeeper.ErrInvalidACL, zookeeper.ErrEphemeralParent, zookeeper.ErrQuotaExceeded,
	locker.ErrNotDurable, locker.ErrNotReserved, locker.ErrRequest, locker.ErrUsedUp,
}

// detailed return the errors with content that are in an error, or nil.
var detailed = []func(error) error{
	within[*LostError], within[*InterruptedError], within[*ConflictError], within[*locker.BusyError], within[*locker.DeadlockError], within[*locker.DisagreeError],
	func(err error) error {
		if e, ok := errors.AsType[*zookeeper.ConnectError](err); ok {
			return &zookeeper.ConnectError{Servers: e.Servers, Cause: text(e.Cause.Error()), Hint: e.Hint}
		}
		return nil
	},
	func(err error) error {
		if e, ok := errors.AsType[*locker.LeftError](err); ok {
			return &locker.LeftError{Znode: e.Znode, Durable: e.Durable, Err: text(e.Err.Error())}
		}
		return nil
	},
}

func within[E error](err error) error {
	if e, ok := errors.AsType[E](err); ok {
		return e
	}
	return nil
}

// text is an error that is only told.
type text string

func (t text) Error() string { return string(t) }

// As values of an interface, gob describes them only if there is one.
func init() {
	for _, detail := range []error{
		&LostError{}, &InterruptedError{}, &ConflictError{}, &locker.BusyError{}, &locker.DeadlockError{}, &locker.DisagreeError{},
		&zookeeper.ConnectError{}, &locker.LeftError{}, text(""),
	} {
		gob.Register(detail)
	}
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
	for _, in := range detailed {
		if detail := in(err); detail != nil {
			f.Details = append(f.Details, detail)
		}
	}
	return f
}

// err is the error that the failure was made of, as far as callers tell errors apart.
func (f *Failure) err() error {
	if f == nil {
		return nil
	}
	e := &remoteError{message: f.Message, kinds: f.Details}
	for _, kind := range f.Kinds {
		if kind >= 0 && kind < len(kinds) {
			e.kinds = append(e.kinds, kinds[kind])
		}
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
