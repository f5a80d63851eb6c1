// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"

	"github.com/go-zookeeper/zk"
)

// Refusals: the server answers that it has not carried out a request.
var (
	ErrNoNode     = zk.ErrNoNode
	ErrNodeExists = zk.ErrNodeExists
	ErrNotEmpty   = zk.ErrNotEmpty
	ErrBadVersion = zk.ErrBadVersion
	ErrNoAuth     = zk.ErrNoAuth
	ErrInvalidACL = zk.ErrInvalidACL
	// ErrEphemeralParent says that a znode is ephemeral, and so has no children.
	ErrEphemeralParent = zk.ErrNoChildrenForEphemerals
	ErrAuthFailed      = zk.ErrAuthFailed
)

var (
	// ErrSessionExpired says that the server has ended the session. Its ephemeral
	// znodes are gone.
	ErrSessionExpired = zk.ErrSessionExpired
	// ErrClosed says that this process closed the session.
	ErrClosed = errors.New("zookeeper: session closed")
	// ErrAuthRequired says that the servers serve only clients that have authenticated
	// by certain schemes (enforce.auth.enabled, sessionRequireClientSASLAuth).
	ErrAuthRequired = errors.New("the servers require authentication")
	// ErrLocalSession says that the session is known to one server only, and so cannot
	// have ephemeral znodes (localSessionsEnabled without localSessionsUpgradingEnabled).
	ErrLocalSession = errors.New("the session is local to one server, so it cannot have ephemeral znodes")
	// ErrQuotaExceeded says that the quota of a znode above is used up.
	ErrQuotaExceeded = errors.New("the quota is exceeded")
	// ErrThrottled says that the server was too busy to carry out the request. It is
	// sent again.
	ErrThrottled = errors.New("the server has too much to do")
)

// errClosedByOther is an [ErrSessionExpired] of a session that had not timed out. A server
// ends such a session only if a client asks for that. It obeys every client that knows the
// session's password, which follows from the session's public id.
var errClosedByOther error = closedByOther{}

type closedByOther struct{}

func (closedByOther) Error() string {
	return "somebody else closed its session, which had not timed out"
}

func (closedByOther) Unwrap() error { return ErrSessionExpired }

// unknown are the errors that the client library returns for codes that it does not know:
// EPHEMERALONLOCALSESSION, SESSIONCLOSEDREQUIRESASLAUTH (which is about other schemes,
// too), QUOTAEXCEEDED and THROTTLEDOP.
var unknown = map[string]error{
	"unknown error: -120": ErrLocalSession,
	"unknown error: -124": ErrAuthRequired,
	"unknown error: -125": ErrQuotaExceeded,
	"unknown error: -127": ErrThrottled,
}

// named returns the error of this package for an error of the client library.
func named(err error) error {
	if err == nil {
		return nil
	}
	if known, ok := unknown[err.Error()]; ok {
		return known
	}
	return err
}

var answers = []error{
	ErrNoNode, ErrNodeExists, ErrNotEmpty, ErrBadVersion, ErrNoAuth,
	ErrAuthRequired, ErrLocalSession, ErrInvalidACL, ErrEphemeralParent, ErrQuotaExceeded, zk.ErrInvalidPath, ErrAuthFailed, zk.ErrBadArguments,
}

// Answered returns whether err is a refusal by the server: the request had no effect.
// After any other error (a lost connection, an ended context, a lost session) the request
// may have been carried out.
func Answered(err error) bool { return isAny(err, answers) }

// Disconnected returns whether err says that there was no connection, or that it was lost:
// the request may have been carried out. It can be sent again after a look, when the
// session is ready ([Session.Ready]).
func Disconnected(err error) bool {
	var network net.Error
	return isAny(err, disconnections) || errors.As(err, &network) && !errors.Is(err, context.DeadlineExceeded)
}

// isAny returns whether err is one of several errors.
func isAny(err error, errs []error) bool {
	return slices.ContainsFunc(errs, func(one error) bool { return errors.Is(err, one) })
}

var disconnections = []error{zk.ErrConnectionClosed, zk.ErrNoServer, zk.ErrClosing, zk.ErrSessionMoved, io.EOF, net.ErrClosed}

// ConnectError says that there was no usable session in time.
type ConnectError struct {
	Servers []string // that were tried, as host:port
	Cause   error    // the last one
	Hint    string   // what the cause usually means, in a sentence; can be empty
}

// Error names the servers and the last cause.
func (e *ConnectError) Error() string {
	return fmt.Sprintf("zookeeper: no session with %s: %v", strings.Join(e.Servers, ","), e.Cause)
}

// Unwrap returns the cause.
func (e *ConnectError) Unwrap() error { return e.Cause }

// The stages of an attempt to connect: each is the error of an attempt that gets no
// further. tls.Dialer and net.Dialer with a name would not tell them apart.
var (
	errIdentifying = errors.New("the KDC did not answer in time")
	errResolving   = errors.New("its name was not resolved in time")
	errDialing     = errors.New("it did not accept the connection in time")
	errSecuring    = errors.New("it accepted the connection but did not answer to the TLS handshake")
	errHandshake   = errors.New("the server accepted the connection but did not answer")
)

// late returns whether an attempt failed because its time was over.
func late(err error) bool {
	return isAny(err, []error{errResolving, errDialing, errSecuring, errHandshake})
}

// errTLS marks the errors of a TLS handshake.
var errTLS = errors.New("TLS handshake")

// errNotZooKeeper says that something else listens at the address.
var errNotZooKeeper = errors.New("what answers there is not ZooKeeper")

// Reasons why a connection ends.
var (
	errSilent = errors.New("the server stopped answering")
	errHungUp = errors.New("the server closed the connection")
)

// ended says in words how a connection ended.
func ended(err error) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%w: %w", errSilent, err)
	case closed(err):
		return fmt.Errorf("%w: %w", errHungUp, err)
	}
	return err
}

// closed returns whether the other side has ended the connection.
func closed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || isAny(err, resets)
}

// transient is an error that the next attempt may not return.
type transient struct{ error }

func (t transient) Unwrap() error { return t.error }

// refusedError is a failed authentication with what to do about it.
type refusedError struct {
	err    error
	advice string
}

func (e *refusedError) Error() string { return e.err.Error() }

func (e *refusedError) Unwrap() error { return e.err }

func (e *refusedError) Remedy() string { return e.advice }

// ErrSilence says that no server has answered a write for so long that the ensemble may
// have ended the session.
var ErrSilence = errors.New("no quorum of the servers has answered for too long")
