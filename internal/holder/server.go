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

// server answers the provider processes of a run.
type server struct {
	runID  string
	holder Holder
	log    *slog.Logger
	alarm  *alarm

	listens  atomic.Bool // there is a listener, or one was asked for
	life     context.Context
	end      context.CancelFunc
	sessions sync.WaitGroup

	mu     sync.Mutex
	users  int           // processes to stay for
	left   chan struct{} // has an element when one of them has left
	ending bool
	shown  []*session // of processes that show the user what they are told
}

func newServer(runID string, holder Holder, alarm *alarm, log *slog.Logger) *server {
	s := &server{runID: runID, holder: holder, alarm: alarm, log: log, left: make(chan struct{}, 1)}
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

// enter counts a session in, unless the server is about to end.
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
	select {
	case s.left <- struct{}{}:
	default:
	}
}

// tryEnd tells whether nobody is there to stay for, and lets nobody in then.
func (s *server) tryEnd() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ending = s.ending || s.users == 0
	return s.ending
}

// tellBy makes the process of a session one of those that tell the user, until end is
// called.
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

var errNoTeller = errors.New("holder: nobody is connected who tells the user")

// user is the way to the user by such a process, see [way].
func (s *server) user() (io.WriteCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.shown) == 0 {
		return nil, errNoTeller
	}
	return noter{s.shown[0]}, nil
}

// noter writes notes to a session.
type noter struct{ *session }

// Write implements [io.Writer].
func (n noter) Write(b []byte) (int, error) {
	return len(b), n.send(answer{Notes: []string{string(b)}})
}

// Close implements [io.Closer].
func (n noter) Close() error { return nil }
