// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"errors"
	"time"

	"github.com/go-zookeeper/zk"
)

// closing bounds how long [Session.Close] waits for the client library to end, after
// at most three seconds for the server's answer. Only a bug of the library makes it wait
// so long (such as go-zookeeper/zk issue 13, closed).
const closing = 5 * time.Second

// errLibrary says that the library did not end.
var errLibrary = errors.New("zookeeper: the session is closed, but the client library did not end")

// Close ends the session and waits until nothing of it runs in this process.
// The server removes the session's ephemeral znodes at once if it can be
// reached (waiting at most three seconds), else when the session times out. Close
// returns within eight seconds, whatever the server and the library do; it is an
// error if anything of the session still runs then.
func (s *Session) Close() error {
	s.closeOnce.Do(func() {
		s.mu.Lock()
		connected := s.ready && s.Err() == nil
		s.mu.Unlock()
		s.lose(ErrClosed)
		s.mu.Lock()
		s.reunite()
		s.mu.Unlock()
		s.transport.stop()
		if !connected {
			// Nobody would answer the library's request to close the session.
			s.transport.hangUp()
		}
		s.conn.Close()
		s.transport.hangUp()
	})
	s.transport.background.Wait() // its context has ended
	return awaitEnd(s.events, closing)
}

// awaitEnd waits until events is closed. It drops events, because onEvent got them.
func awaitEnd(events <-chan zk.Event, patience time.Duration) error {
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		select {
		case _, more := <-events:
			if !more {
				return nil
			}
		case <-timeout.C:
			return errLibrary
		}
	}
}
