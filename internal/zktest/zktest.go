// SPDX-License-Identifier: MPL-2.0

// Package zktest gives tests real ZooKeeper servers: a shared one per test binary
// with a fresh chroot per test (Space), or servers and ensembles of a test's own
// that it can pause, kill and restart (Own, OwnEnsemble). What a test leaves
// behind, be it a znode, a goroutine or a process, fails it.
//
// Servers are child processes from an installed distribution, see
// FindDistribution. There is no fake.
//
// Scripts use what is below that and returns errors: StartServer, StartEnsemble, Client,
// Relay and Running.
//
// This package imports no other of this module, so that the tests of each of them can use
// it.
package zktest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// EnvServer names the environment variable that, where set to the host:port of a
// running server, makes Space use that one instead of starting its own.
const EnvServer = "CLOCKER_TEST_ZOOKEEPER"

const (
	// patience bounds every wait of this package for something that should happen
	// soon. Reached only when something is broken.
	patience = 30 * time.Second
	// fourLetterTimeout bounds one question, which a healthy server answers in
	// milliseconds.
	fourLetterTimeout = 5 * time.Second
)

// Main is for TestMain: it runs the tests, stops the shared server, looks for
// leaked goroutines and processes, and exits accordingly.
//
//	func TestMain(m *testing.M) { zktest.Main(m) }
func Main(m *testing.M, options ...goleak.Option) { os.Exit(Run(m, options...)) }

// Run is Main without the exit, for a TestMain that has more to do. It returns the
// exit code: that of the tests, or 1 where they passed but left a goroutine that
// options do not name, or a process, behind. Goroutines and processes on their way
// out are given time.
func Run(m *testing.M, options ...goleak.Option) int {
	if err := errors.Join(markProcesses(), setParallel()); err != nil {
		fmt.Fprintln(os.Stderr, "zktest:", err)
		return 1
	}
	code := m.Run()
	shared.stop()
	stopSharedKerberos()
	if code != 0 {
		return code // A failed test may well leave something, and is news enough.
	}
	ctx, cancel := context.WithTimeout(context.Background(), leaveTime)
	defer cancel()
	if err := awaitNoProcesses(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "zktest: the tests passed but left processes:", err)
		code = 1
	}
	// Then, as goroutines wait for processes.
	if err := goleak.Find(options...); err != nil {
		fmt.Fprintln(os.Stderr, "zktest: the tests passed but left goroutines:", err)
		code = 1
	}
	return code
}

// setParallel lets twice as many tests run at a time as there are processors, unless a flag
// says how many: they mostly wait for servers and other processes.
func setParallel() error {
	const name = "test.parallel"
	flag.Parse()
	asked := false
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == name })
	if asked {
		return nil
	}
	return flag.Set(name, strconv.Itoa(2*runtime.GOMAXPROCS(0)))
}

// SkipInShort is for TestMain: with -short, the tests with these names (a regular expression)
// are skipped, because they take long.
func SkipInShort(names string) {
	const name = "test.skip"
	flag.Parse()
	if skip := flag.Lookup(name); testing.Short() && skip.Value.String() == "" {
		_ = skip.Value.Set("^(" + names + ")$") // any text is one
	}
}

// Own starts a server for this test alone, which it may pause, kill and restart.
// It is stopped at the end of the test; if that failed, the server's last words
// are logged. Where only an external server is to be had the test is skipped, as
// that one is not ours to stop. With -short it is skipped, too.
func Own(tb testing.TB, options Options) *Server {
	tb.Helper()
	skipInShort(tb)
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	skipWithoutDistribution(tb)
	s, err := StartServer(ctx, options)
	if err != nil {
		tb.Fatal(err)
	}
	cleanUp(tb, s)
	return s
}

// OwnEnsemble is Own for an ensemble of n servers. With -short the test is skipped.
func OwnEnsemble(tb testing.TB, n int, options Options) *Ensemble {
	tb.Helper()
	skipInShort(tb)
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	skipWithoutDistribution(tb)
	e, err := StartEnsemble(ctx, n, options)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(e.Stop)
	for _, s := range e.servers {
		cleanUp(tb, s)
	}
	return e
}

func skipInShort(tb testing.TB) {
	tb.Helper()
	if testing.Short() {
		tb.Skip("servers of its own take too long for -short")
	}
}

func cleanUp(tb testing.TB, s *Server) {
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("the log of %s ends:\n%s", s.Addr(), s.LogTail())
		}
		s.Stop()
	})
}

func skipWithoutDistribution(tb testing.TB) {
	tb.Helper()
	if os.Getenv(EnvServer) == "" {
		return
	}
	if _, err := FindDistribution(); err != nil {
		tb.Skipf("this test stops servers, and %s is not ours to stop: %v", EnvServer, err)
	}
}

// shared is the one server of this test binary.
var shared sharedServer

type sharedServer struct {
	once   sync.Once
	server *Server
	err    error
}

func (s *sharedServer) get() (*Server, error) {
	s.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		addr := os.Getenv(EnvServer)
		if addr == "" {
			s.server, s.err = StartServer(ctx, Options{})
			return
		}
		s.server = &Server{addr: addr}
		if s.err = s.server.awaitServing(ctx); s.err != nil {
			s.err = fmt.Errorf("%s: %w", EnvServer, s.err)
		}
	})
	return s.server, s.err
}

func (s *sharedServer) stop() {
	if s.server != nil {
		s.server.Stop()
	}
}
