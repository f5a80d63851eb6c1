// SPDX-License-Identifier: MPL-2.0

package zktest

import (
	"bufio"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
)

var worldACL = zk.WorldACL(zk.PermAll)

func TestServerGrantsShortAndLongSessions(t *testing.T) {
	t.Parallel()
	s := NewSpace(t)
	for _, timeout := range []time.Duration{time.Second, time.Minute} {
		client := s.NewSession(timeout)
		if _, _, err := client.Exists("/"); err != nil {
			t.Fatal(err)
		}
		connections, err := s.Server().FourLetter(t.Context(), "cons")
		if err != nil {
			t.Fatal(err)
		}
		if want := "to=" + milliseconds(timeout) + ","; !strings.Contains(connections, want) {
			t.Errorf("no session was granted %s: %s", timeout, connections)
		}
	}
}

func TestServerPauses(t *testing.T) {
	t.Parallel()
	server := Own(t, Options{})
	s := NewSpaceOn(t, server)
	if err := server.Pause(); err != nil {
		t.Fatal(err)
	}
	if !server.Running() {
		t.Error("a paused server does not run")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if answer, err := server.FourLetter(ctx, "ruok"); err == nil {
		t.Errorf("a paused server answers %q", answer)
	}
	if err := server.Resume(); err != nil {
		t.Fatal(err)
	}
	s.Create("/a", nil, Persistent)
	s.Delete("/a")
}

func TestServerRestartKeepsData(t *testing.T) {
	t.Parallel()
	server := Own(t, Options{})
	s := NewSpaceOn(t, server)
	s.Create("/a", []byte("kept"), Persistent)
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	if server.Running() {
		t.Error("a killed server runs")
	}
	if _, err := server.FourLetter(t.Context(), "ruok"); err == nil {
		t.Error("a killed server answers")
	}
	if err := server.Restart(bounded(t)); err != nil {
		t.Fatal(err)
	}
	if data, _ := s.Get("/a"); string(data) != "kept" {
		t.Errorf("data are %q after the restart", data)
	}
	s.Delete("/a")
}

// A test may end with its server killed or paused.
func TestServerLeftKilledOrPaused(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(*Server) error{"killed": (*Server).Kill, "paused": (*Server).Pause} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := Own(t, Options{})
			s := NewSpaceOn(t, server)
			s.NewSession(time.Second)
			if err := leave(server); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestServerStops(t *testing.T) {
	t.Parallel()
	server := Own(t, Options{})
	server.Stop()
	if server.Running() {
		t.Error("a stopped server runs")
	}
	if _, err := os.Stat(server.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the data of a stopped server: %v", err)
	}
	server.Stop()
}

// The error must come from the server's end, long before the context's.
func TestServerThatCannotStart(t *testing.T) {
	t.Parallel()
	server, err := StartServer(bounded(t), Options{Config: map[string]string{"tickTime": "soon"}})
	if err == nil {
		server.Stop()
		t.Fatal("started with a bad configuration")
	}
	for _, want := range []string{"exited", "soon"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not mention %q: %v", want, err)
		}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waited for the context: %v", err)
	}
}

func TestServerOnTakenPort(t *testing.T) {
	t.Parallel()
	first := Own(t, Options{})
	_, port, err := net.SplitHostPort(first.Addr())
	if err != nil {
		t.Fatal(err)
	}
	taken, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	second, err := StartServer(bounded(t), Options{Port: taken})
	if err == nil {
		second.Stop()
	}
	if !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("want that the address is in use, got %v", err)
	}
}

func TestServerStartIsBounded(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	server, err := StartServer(ctx, Options{})
	if err == nil {
		server.Stop()
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("want the context's error, got %v", err)
	}
}

func TestServerCountsPackets(t *testing.T) {
	t.Parallel()
	server := Own(t, Options{})
	count := func() int64 {
		t.Helper()
		n, err := server.PacketsReceived(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := count()
	if _, err := server.FourLetter(t.Context(), "srvr"); err != nil {
		t.Fatal(err)
	}
	if after := count(); after != before {
		t.Errorf("our own questions count: %d, then %d", before, after)
	}
	s := NewSpaceOn(t, server)
	before = count()
	for range 10 {
		s.Exists("/a")
	}
	if after := count(); after < before+10 {
		t.Errorf("ten requests are not counted: %d, then %d", before, after)
	}
}

func TestServerKeepsLog(t *testing.T) {
	t.Parallel()
	log := t.TempDir() + "/server.log"
	server := Own(t, Options{Log: log})
	server.Stop()
	if text, err := os.ReadFile(log); err != nil || len(text) == 0 {
		t.Errorf("the log holds %d bytes, %v", len(text), err)
	}
}

func TestServerGivenByEnvironment(t *testing.T) {
	own := Own(t, Options{})
	t.Setenv(EnvServer, own.Addr())
	var given sharedServer
	server, err := given.get()
	if err != nil {
		t.Fatal(err)
	}
	if server.Addr() != own.Addr() {
		t.Errorf("the address is %s, want %s", server.Addr(), own.Addr())
	}
	if _, err := server.Stats(t.Context()); err != nil {
		t.Error(err)
	}
	for name, err := range map[string]error{
		"kill": server.Kill(), "pause": server.Pause(), "resume": server.Resume(), "restart": server.Restart(t.Context()),
	} {
		if !errors.Is(err, ErrExternal) {
			t.Errorf("%s: want ErrExternal, got %v", name, err)
		}
	}
	given.stop()
	if !own.Running() {
		t.Error("an external server was stopped")
	}
}

// The process that started a server is killed: nothing of it can clean up.
func TestServerDiesWithItsStarter(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a server outlives a killed test there: see process_other.go")
	}
	t.Parallel()
	mark := MarkProcesses(t) // Fails the test if the server stays.
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), envStartAndHang+"=1", mark, "TMPDIR="+t.TempDir())
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	addr, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	addr = strings.TrimSpace(addr)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	err = poll(bounded(t), func() error {
		conn, err := net.DialTimeout("tcp", addr, time.Second)
		if err != nil {
			return nil //nolint:nilerr // Refused is what we wait for.
		}
		_ = conn.Close()
		return errors.New("still serving at " + addr)
	})
	if err != nil {
		t.Error(err)
	}
}

func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}
