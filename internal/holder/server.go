package holder

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
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
	shown  []*session // of processes that show messages to the user
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

// accept serves each connection until the listener is closed.
func (s *server) accept(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // such as too many open files
			time.Sleep(acceptPause)
			continue
		}
		go func() {
			if owner, err := peerOf(conn); err == nil && owner == os.Geteuid() {
				s.serve(conn)
			}
			_ = conn.Close()
		}()
	}
}

// acceptPause is how long accept waits after a failure.
const acceptPause = 100 * time.Millisecond

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

// tellBy has messages for the user sent to the process of a session, until end is called.
func (s *server) tellBy(c *session) (end func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shown = append(s.shown, c)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.shown = slices.DeleteFunc(s.shown, func(other *session) bool { return other == c })
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
type noter struct{ *session }

// Write implements [io.Writer].
func (n noter) Write(b []byte) (int, error) {
	return len(b), n.send(answer{Notes: []string{string(b)}})
}

// Close implements [io.Closer].
func (n noter) Close() error { return nil }
