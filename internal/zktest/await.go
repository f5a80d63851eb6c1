// SPDX-License-Identifier: MPL-2.0

package zktest

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-zookeeper/zk"
)

// now is the channel of a watch that has fired already.
var now = func() <-chan zk.Event {
	closed := make(chan zk.Event)
	close(closed)
	return closed
}()

// await calls look until it is done, each time that the watch which look has left
// fires, or after a failure that a new connection mends. It is bounded by ctx.
func await(ctx context.Context, look func() (done bool, changed <-chan zk.Event, err error)) error {
	for {
		done, changed, err := look()
		switch {
		case done:
			return nil
		case err != nil && !isConnectionLoss(err):
			return err
		case err != nil:
			// The client itself waits between its attempts to connect, and keeps
			// requests until then: this does not spin.
			changed = now
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			return errors.Join(context.Cause(ctx), err)
		}
	}
}

// try is await for a request without a watch.
func try(ctx context.Context, request func() error) error {
	return await(ctx, func() (bool, <-chan zk.Event, error) {
		err := request()
		return err == nil, nil, err
	})
}

// isConnectionLoss says whether the same request may succeed later: it was not
// answered, and the client is looking for a server.
func isConnectionLoss(err error) bool {
	return errors.Is(err, zk.ErrConnectionClosed) || errors.Is(err, zk.ErrNoServer) ||
		errors.Is(err, zk.ErrSessionExpired) || errors.Is(err, zk.ErrSessionMoved)
}

func isNoNode(err error) bool { return errors.Is(err, zk.ErrNoNode) }

// describe adds what was asked to err.
func describe(err error, verb, path string) error {
	return fmt.Errorf("%s %s: %w", verb, path, err)
}
