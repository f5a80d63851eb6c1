// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"
)

// Session is one ZooKeeper session. It survives broken connections and ends
// when the server expires it or it is closed; it never becomes another session.
// Its methods are safe for concurrent use.
type Session struct {
	conn      *zk.Conn
	acl       []zk.ACL
	creator   bool
	transport *transport
	log       *slog.Logger
	events    <-chan zk.Event // closed when the library's goroutines have ended
	life      context.Context // ends when the session is lost; the cause says why
	lose      context.CancelCauseFunc
	closeOnce sync.Once
	said      atomic.Bool // the log says that there is a connection

	unknown atomic.Int32 // answers in a row that do not say whether a request was carried out
	kept    keeper

	mu      sync.Mutex
	ready   bool
	changed chan struct{} // closed and replaced when ready changes
	reunite func()        // ends the wait for a connection that was lost
	users   int           // see Use
	retired chan struct{} // closed by Retire
}

// Kept is an ephemeral znode of a session that the session looks after.
type Kept struct {
	path    string
	session *Session
	life    context.Context // ends when the znode is lost; the cause says why
	lose    context.CancelCauseFunc
	ctx     context.Context // of the watch
	end     context.CancelFunc
	done    sync.Once // by Stop or by the loss, whichever comes first
}

// keeper asks a quorum for all the znodes that a session keeps.
type keeper struct {
	mu      sync.Mutex
	all     map[*Kept]struct{}
	running bool
}

// start begins to connect. refused is called with an error that every attempt would meet.
func start(cfg Config, log *slog.Logger, refused func(error)) (*Session, error) {
	t := newTransport(attemptTime(cfg), cfg.Servers...)
	t.tls, t.identify = cfg.TLS, identifying(cfg, cfg.tickets)
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &Session{
		transport: t,
		log:       log,
		acl:       openACL,
		changed:   make(chan struct{}),
		retired:   make(chan struct{}),
		reunite:   func() {},
	}
	s.life, s.lose = context.WithCancelCause(context.Background())
	t.told = told{refused: refused, failed: s.onFailure, useful: s.onProof}
	if cfg.Creator {
		s.acl, s.creator = creatorACL, true
	}
	// The library calls onEvent before it acts on the event itself, maybe before
	// Connect has returned.
	conn, events, err := zk.Connect(cfg.Servers, cfg.SessionTimeout,
		zk.WithDialer(t.dial), zk.WithHostProvider(&servers{}), zk.WithLogger(t), zk.WithLogInfo(false),
		zk.WithMaxBufferSize(maxPacket), zk.WithEventCallback(s.onEvent))
	if err != nil {
		return nil, err
	}
	s.conn, s.events = conn, events
	return s, nil
}

func (s *Session) onEvent(ev zk.Event) {
	if ev.Type != zk.EventSession {
		return
	}
	switch ev.State {
	case zk.StateHasSession:
		if s.setReady(true) && !s.transport.flapping() {
			s.onProof(ev.Server)
		}
	case zk.StateDisconnected:
		if s.setReady(false) && s.said.Swap(false) {
			s.note(slog.LevelWarn, "connection to ZooKeeper lost", "server", ev.Server, "cause", s.Cause())
		}
	case zk.StateExpired:
		s.expire(s.howExpired())
	}
}

// onProof logs each connection. Of several that break before the server answers a request,
// it logs the first only.
func (s *Session) onProof(server string) {
	if !s.said.Swap(true) {
		s.note(slog.LevelInfo, "connected to ZooKeeper", "server", server)
	}
}

// onFailure logs why a reconnect failed: at the first attempt, the second, the fourth and
// so on.
func (s *Session) onFailure(attempts int, cause error) {
	if s.ID() != 0 && attempts&(attempts-1) == 0 {
		s.note(slog.LevelWarn, "reconnect failed", "attempts", attempts, "cause", cause)
	}
}

// Cause is why the connection broke, or why the latest attempt to connect failed. It is
// nil while there is a connection.
func (s *Session) Cause() error { return s.transport.reason() }

// note writes to the log, unless the session was closed.
func (s *Session) note(level slog.Level, message string, fields ...any) {
	if !errors.Is(s.Err(), ErrClosed) {
		s.log.Log(s.life, level, message, append(fields, "session", fmt.Sprintf("%#x", s.ID()))...)
	}
}

// howExpired is the cause of the end of a session: its lease says whether it has timed out.
func (s *Session) howExpired() error {
	if Now() < s.AliveUntil() {
		return errClosedByOther
	}
	return ErrSessionExpired
}

// expire ends the session, which has ended at the server, and keeps the library from
// opening another one.
func (s *Session) expire(cause error) {
	news := s.Err() == nil
	s.transport.stop()
	s.lose(cause)
	if news {
		s.note(slog.LevelWarn, "session expired", "cause", cause)
	}
}

// setReady returns whether ready is new. If the connection does not come back in time, the
// session ends: a server whose data were lost, or replaced by older data, refuses a client
// that has seen newer data, without saying that the client's session is gone.
func (s *Session) setReady(ready bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ready == ready {
		return false
	}
	s.ready = ready
	close(s.changed)
	s.changed = make(chan struct{})
	s.reunite()
	s.reunite = func() {}
	if timeout := s.Timeout(); !ready && timeout > 0 && s.Err() == nil {
		s.reunite = wakeAt(Now().Add(timeout*4/3), func() { s.giveUp(timeout * 4 / 3) })
	}
	return true
}

// giveUp ends the session if it has no connection.
func (s *Session) giveUp(after time.Duration) {
	s.mu.Lock()
	ready := s.ready
	s.mu.Unlock()
	if ready {
		return
	}
	err := fmt.Errorf("%w: there was no connection for %v", ErrSessionExpired, after.Round(time.Millisecond))
	if cause := s.Cause(); cause != nil {
		err = fmt.Errorf("%w (%w)", err, cause)
	}
	s.expire(err)
	s.transport.hangUp() // of a connection that is just being made
}

// Lost is closed when the session has ended; [Session.Err] tells why.
func (s *Session) Lost() <-chan struct{} { return s.life.Done() }

// Err is nil while the session lives, and then [ErrSessionExpired] or [ErrClosed].
func (s *Session) Err() error { return context.Cause(s.life) }

// ID is the session's id at the server: the ephemeralOwner of its znodes.
func (s *Session) ID() int64 {
	id, _ := s.transport.negotiated()
	return id
}

// Timeout is the session timeout that the server granted.
func (s *Session) Timeout() time.Duration {
	_, timeout := s.transport.negotiated()
	return timeout
}

// Creator returns [Config.Creator].
func (s *Session) Creator() bool { return s.creator }

// AliveUntil is the end of the lease: until then the ensemble surely keeps the session. It
// assumes that the servers' minSessionTimeout is not less than two ticks, its default.
func (s *Session) AliveUntil() Instant { return s.transport.lease.aliveUntil() }

// Alive is nil until the end of the lease, and then [ErrSilence] or the session's end.
func (s *Session) Alive() error {
	if err := s.Err(); err != nil {
		return err
	}
	if Now() >= s.AliveUntil() {
		return ErrSilence
	}
	return nil
}

// Changed returns a channel that is closed when the connection is lost or comes back. A
// caller that waits for a watch must look again then, because events are lost.
func (s *Session) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// Ready waits until the session is connected. Otherwise it returns the session's end or
// the context's cause.
func (s *Session) Ready(ctx context.Context) error {
	for {
		s.mu.Lock()
		ready, changed := s.ready, s.changed
		s.mu.Unlock()
		if err := s.Err(); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if ready {
			return nil
		}
		select {
		case <-changed:
		case <-s.Lost():
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// gatherTickets gets the tickets for all servers, so that the session can move to each of
// them while no KDC answers.
func (s *Session) gatherTickets(cfg Config) {
	if cfg.tickets == nil {
		return
	}
	s.transport.background.Go(func() {
		for _, server := range cfg.Servers {
			ctx, cancel := context.WithTimeout(s.transport.ctx, cfg.ConnectTimeout)
			host, _, err := net.SplitHostPort(server)
			if err == nil {
				_, _, err = cfg.tickets.Get(ctx, host)
			}
			cancel()
			if err != nil {
				s.note(slog.LevelWarn, "no Kerberos ticket for a server yet", "server", server, "cause", err)
			}
		}
	})
}
