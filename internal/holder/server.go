// SPDX-License-Identifier: MPL-2.0

package holder

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
)

// server answers the provider processes of a run, in the holder process or the sentinel.
type server struct {
	runID       string
	holder      Holder
	log         *slog.Logger
	interrupter *interrupter

	listens  atomic.Bool // there is a listener, or one was asked for
	life     context.Context
	end      context.CancelFunc
	sessions sync.WaitGroup

	mu     sync.Mutex
	users  int           // connected processes for which the holder process stays
	left   chan struct{} // has an element when one of them has left
	ending bool
	shown  []*link // to processes that show messages to the user
}

func newServer(runID string, holder Holder, interrupter *interrupter, log *slog.Logger) *server {
	s := &server{runID: runID, holder: holder, interrupter: interrupter, log: log, left: make(chan struct{}, 1)}
	s.life, s.end = context.WithCancel(context.Background())
	return s
}

// close ends all connections, and returns when what they asked for has ended.
func (s *server) close() {
	s.mu.Lock()
	s.ending = true
	s.mu.Unlock()
	s.end()
	s.sessions.Wait()
}

// enter counts a session, unless the server is about to end.
func (s *server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ending {
		s.users++
		s.sessions.Add(1)
	}
	return !s.ending
}

func (s *server) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users--
	notify(s.left)
}

// tryEnd ends the server if it has no users, and returns whether it has ended.
func (s *server) tryEnd() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ending = s.ending || s.users == 0
	return s.ending
}

// tellBy has messages for the user sent by a link, until end is called.
func (s *server) tellBy(l *link) (end func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shown = append(s.shown, l)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.shown = slices.DeleteFunc(s.shown, func(other *link) bool { return other == l })
	}
}

var errNoTeller = errors.New("holder: no process is connected that shows messages to the user")

// user is a [way] to the user by such a process.
func (s *server) user() (io.WriteCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.shown) == 0 {
		return nil, errNoTeller
	}
	return noter{s.shown[0]}, nil
}

// noter sends what is written to it as a note.
type noter struct{ *link }

// Write implements [io.Writer].
func (n noter) Write(b []byte) (int, error) {
	return len(b), n.send(answer{Notes: []string{string(b)}})
}

// Close implements [io.Closer].
func (n noter) Close() error { return nil }
