// SPDX-License-Identifier: MPL-2.0

package zktest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// ErrExternal is returned where a test asks to control a server that was given by
// the environment: such a test needs one of its own, see Own.
var ErrExternal = errors.New("this server was given by " + EnvServer + " and is not ours to control")

const loopback = "127.0.0.1"

// Options are for StartServer and StartEnsemble; the zero value is a good server
// for tests.
type Options struct {
	// Port is the loopback port of a standalone server. Default: a free one.
	Port int
	// TickTime is how exactly the server keeps session timeouts: a session
	// expires at the first tick past its timeout. Default 200 ms.
	TickTime time.Duration
	// MinSessionTimeout and MaxSessionTimeout bound what a client is granted.
	// Default two ticks, and one minute.
	MinSessionTimeout, MaxSessionTimeout time.Duration
	// Config are further lines of zoo.cfg; they override the server's own.
	Config map[string]string
	// Java are further arguments to java, in front of the class to run.
	Java []string
	// Links has the members of an ensemble connect to each other by links that can be
	// cut and delayed: see [Ensemble.Link].
	Links bool
	// Log is a file to which the server's output is appended and which Stop
	// leaves in place. Default: one that is deleted with the server's data.
	Log string
}

// Server is one ZooKeeper server: a child process of this one, which dies with it,
// or a server given by the environment, which can be asked but not controlled.
// Its methods may be called concurrently, except for those that start and end it.
type Server struct {
	// Keytab is the path of the keytab that a server of [OwnKerberos] logs in with.
	Keytab string

	addr string

	dir, log string // empty for an external server
	java     []string

	mu    sync.Mutex
	child *child // nil for an external server

	asked  atomic.Int64 // four letter words sent since the start
	paused atomic.Bool
}

// StartServer starts a standalone server on a loopback port, with its data in
// a temporary directory, and returns once it serves. ctx bounds the start, not the
// life of the server: that ends with Stop. An error names the cause where the
// server did, and nothing is left running then.
func StartServer(ctx context.Context, options Options) (*Server, error) {
	port, err := options.Port, error(nil)
	if port == 0 {
		port, err = FreePort(ctx)
	} else {
		err = isFree(ctx, port) // Else we would find that somebody's server serves.
	}
	if err != nil {
		return nil, fmt.Errorf("start ZooKeeper: %w", err)
	}
	s, err := newServer(options, port, nil)
	if err != nil {
		return nil, fmt.Errorf("start ZooKeeper: %w", err)
	}
	if err := s.Restart(ctx); err != nil {
		s.Stop()
		return nil, fmt.Errorf("start ZooKeeper: %w", err)
	}
	return s, nil
}

// newServer prepares a server that is not running yet. quorum are the lines of
// zoo.cfg that make it a member of an ensemble.
func newServer(options Options, port int, quorum map[string]string) (*Server, error) {
	distribution, err := FindDistribution()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "clocker-zookeeper-")
	if err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "zoo.cfg")
	if err := os.WriteFile(config, zooCfg(options, dir, port, quorum), 0o600); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	log := options.Log
	if log == "" {
		log = filepath.Join(dir, "server.log")
	}
	return &Server{
		addr: net.JoinHostPort(loopback, strconv.Itoa(port)),
		dir:  dir,
		log:  log,
		java: append([]string{distribution.Java}, javaArgs(distribution.Classpath, config, options.Java...)...),
	}, nil
}

// Addr is host:port of the server.
func (s *Server) Addr() string { return s.addr }

// Stop ends the server at once, reaps it and deletes its data. Further calls, and
// those on an external server, do nothing.
func (s *Server) Stop() {
	if s.dir == "" {
		return
	}
	_ = s.Kill()
	// What cannot be deleted stays in the system's temporary directory.
	_ = os.RemoveAll(s.dir)
}

// Kill ends the server by SIGKILL, paused or not, and returns once it is reaped.
// Its data stay for Restart. A server that is not running is no error.
func (s *Server) Kill() error {
	if s.dir == "" {
		return ErrExternal
	}
	if c := s.current(); c != nil {
		c.kill()
	}
	return nil
}

// Restart starts the server on its port with its data, after it has killed the one
// that runs, if any, and returns once it serves. ctx bounds that.
func (s *Server) Restart(ctx context.Context) error {
	if err := s.launch(); err != nil {
		return err
	}
	return s.awaitServing(ctx)
}

// Empty is Restart with the server's data gone, as after the loss of a disk: it knows
// no znode and no session.
func (s *Server) Empty(ctx context.Context) error {
	if err := s.Kill(); err != nil {
		return err
	}
	if err := s.deleteData(); err != nil {
		return err
	}
	return s.Restart(ctx)
}

// deleteData leaves what tells which member of an ensemble it is.
func (s *Server) deleteData() error {
	return os.RemoveAll(filepath.Join(s.dir, "data", "version-2"))
}

// launch is Restart without waiting until the server serves: a member of an
// ensemble does only once others do.
func (s *Server) launch() error {
	if err := s.Kill(); err != nil {
		return err
	}
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // The server has its own.
	c, err := start(log, s.java[0], s.java[1:]...)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.child = c
	s.paused.Store(false)
	s.asked.Store(0)
	return nil
}

func (s *Server) awaitServing(ctx context.Context) error {
	// Ended early, for a cause that its log names: no use to wait for ctx.
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if c := s.current(); c != nil {
		go func() {
			select {
			case <-c.exited:
				cancel(fmt.Errorf("the server exited (%w)", c.err))
			case <-ctx.Done():
			}
		}()
	}
	err := poll(ctx, func() error {
		// A server that is just starting may accept a question and never answer it.
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		answer, err := s.FourLetter(ctx, "srvr")
		if err == nil && !strings.Contains(answer, "Mode:") {
			err = errors.New(strings.TrimSpace(answer))
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("%s does not serve: %w; its log ends:\n%s", s.addr, err, s.LogTail())
	}
	return nil
}

// Pause stops the server by SIGSTOP, as a long garbage collection or a partition
// would, and returns once it is stopped: clients see an open connection on which
// nothing comes.
func (s *Server) Pause() error {
	c := s.current()
	if c == nil {
		return ErrExternal
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := c.pause(ctx); err != nil {
		return fmt.Errorf("pause %s: %w", s.addr, err)
	}
	s.paused.Store(true)
	return nil
}

// Resume lets a paused server go on. One that is not paused is no error.
func (s *Server) Resume() error {
	c := s.current()
	if c == nil {
		return ErrExternal
	}
	if err := c.resume(); err != nil {
		return fmt.Errorf("resume %s: %w", s.addr, err)
	}
	s.paused.Store(false)
	return nil
}

// Running says whether the process runs, paused or not. An external server is
// taken to.
func (s *Server) Running() bool {
	if s.dir == "" {
		return true
	}
	c := s.current()
	return c != nil && c.running()
}

// LogTail returns the last lines of the server's output, or why there are none.
func (s *Server) LogTail() string {
	const bytes = 4096
	if s.log == "" {
		return ErrExternal.Error()
	}
	text, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-bytes):])
}

func (s *Server) current() *child {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.child
}
