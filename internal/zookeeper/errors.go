package zookeeper

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/go-zookeeper/zk"
)

// What a server answers to a request that it did not carry out.
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
	// ErrSessionExpired says that the server has ended the session: its
	// ephemeral znodes are gone.
	ErrSessionExpired = zk.ErrSessionExpired
	// ErrClosed says that this process closed the session.
	ErrClosed = errors.New("zookeeper: session closed")
	// ErrAuthRequired says that the servers serve only clients that have authenticated
	// by certain schemes (enforce.auth.enabled, sessionRequireClientSASLAuth).
	ErrAuthRequired = errors.New("the servers require authentication")
	// ErrLocalSession says that the session is known to one server only, and so cannot
	// have ephemeral znodes (localSessionsEnabled without localSessionsUpgradingEnabled).
	ErrLocalSession = errors.New("the session is local to one server, so it cannot have ephemeral znodes")
	// ErrQuotaExceeded says that a znode above is as full as its quota lets it be.
	ErrQuotaExceeded = errors.New("the quota is exceeded")
	// ErrThrottled says that a server with too much to do has not carried out the
	// request. It is sent again.
	ErrThrottled = errors.New("the server has too much to do")
)

// errClosedByOther is an [ErrSessionExpired] of a session that had not timed out. A server
// ends such a one only if it is asked to, and it believes everybody who knows the
// session's password, which follows from its public id.
var errClosedByOther error = closedByOther{}

type closedByOther struct{}

func (closedByOther) Error() string {
	return "somebody else closed its session, which had not timed out"
}
func (closedByOther) Unwrap() error { return ErrSessionExpired }

// unknown are what the client library makes of answers that it does not know:
// EPHEMERALONLOCALSESSION, SESSIONCLOSEDREQUIRESASLAUTH, which is about other schemes,
// too, QUOTAEXCEEDED and THROTTLEDOP.
var unknown = map[string]error{
	"unknown error: -120": ErrLocalSession,
	"unknown error: -124": ErrAuthRequired,
	"unknown error: -125": ErrQuotaExceeded,
	"unknown error: -127": ErrThrottled,
}

// named is err as the error of ours that it is.
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

// Answered tells whether err is the server's own refusal: the request had no
// effect. After any other error (a lost connection, an ended context, a lost
// session) the request may or may not have been carried out.
func Answered(err error) bool {
	for _, answer := range answers {
		if errors.Is(err, answer) {
			return true
		}
	}
	return false
}

// Disconnected tells whether err says that the connection was lost or not there:
// the request may or may not have been carried out, and can be tried again,
// after a look, as soon as [Session.Ready].
func Disconnected(err error) bool {
	for _, lost := range disconnections {
		if errors.Is(err, lost) {
			return true
		}
	}
	var network net.Error
	return errors.As(err, &network) && !errors.Is(err, context.DeadlineExceeded)
}

var disconnections = []error{zk.ErrConnectionClosed, zk.ErrNoServer, zk.ErrClosing, zk.ErrSessionMoved, io.EOF, net.ErrClosed}

// ConnectError says that no usable session could be had in time.
type ConnectError struct {
	// Servers are those tried, host:port.
	Servers []string
	// Cause is the last thing that went wrong.
	Cause error
	// Hint says what that usually means, in a sentence; it can be empty.
	Hint string
}

// Error names the servers and the last cause.
func (e *ConnectError) Error() string {
	return fmt.Sprintf("zookeeper: no session with %s: %v", strings.Join(e.Servers, ","), e.Cause)
}

// Unwrap returns the cause.
func (e *ConnectError) Unwrap() error { return e.Cause }
