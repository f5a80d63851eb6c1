// SPDX-License-Identifier: MPL-2.0

package holder

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/run"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

const (
	// patience bounds every wait for something that should happen soon. It is
	// reached only when something is broken, and is well below sessionTimeout:
	// what is gone by then did not wait for its session to time out.
	patience       = 30 * time.Second
	sessionTimeout = 50 * time.Second
)

// commands are the other things that this binary is when it is started with one of
// them as its argument.
var commands = map[string]func(){provideCommand: provide}

// TestMain makes this binary a holder process, as the provider's executable is,
// or the provider process of a test, when it is started with that argument.
func TestMain(m *testing.M) {
	switch {
	case Main(os.Args[1:]):
		os.Exit(0)
	case len(os.Args) == 2 && commands[os.Args[1]] != nil:
		commands[os.Args[1]]()
		os.Exit(0)
	}
	zktest.SkipInShort("TestProcess.*|TestKilled.*|TestSentinel.*|TestAThousand.*|.*WithoutAServer|TestLocalClose.*|TestLockIsHeldForTooLong")
	os.Exit(runTests(m))
}

// runTests runs the tests and then looks for what the race detector has found in
// the processes that they started, where nobody sees its words.
func runTests(m *testing.M) int {
	reports, err := os.MkdirTemp("", "clocker-holder-")
	if err == nil {
		err = os.Setenv("GORACE", "atexit_sleep_ms=0 log_path="+filepath.Join(reports, "race"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(reports) }()
	code := zktest.Run(m)
	found, _ := filepath.Glob(filepath.Join(reports, "race.*"))
	for _, report := range found {
		text, _ := os.ReadFile(report)
		fmt.Fprintf(os.Stderr, "%s", text)
		code = 1
	}
	return code
}

// ensemble is how a test's holders connect to its space.
func ensemble(t testing.TB, space *zktest.Space) (config zookeeper.Config, chroot string) {
	t.Helper()
	connect, err := zookeeper.ParseConnectString(space.ConnectString())
	if err != nil {
		t.Fatal(err)
	}
	return zookeeper.Config{
		Servers:        connect.Servers,
		SessionTimeout: sessionTimeout,
		ConnectTimeout: patience,
	}, connect.Chroot
}

// request asks for a lock in the space, whose directory is dir(lockID) there.
func request(t testing.TB, space *zktest.Space, lockID string, wait time.Duration) Request {
	t.Helper()
	config, chroot := ensemble(t, space)
	return Request{
		Ensemble: config,
		Lock: locker.Request{
			LockID: lockID,
			Dir:    locker.Directory(chroot, locker.DefaultRoot, lockID),
			Wait:   wait,
			Data:   locker.Data{Owner: "tester", Info: "testing " + lockID},
		},
	}
}

func dir(lockID string) string { return locker.Directory("", locker.DefaultRoot, lockID) }

// otherRun is a run beside that of this process.
func otherRun(t testing.TB) run.Run {
	t.Helper()
	r := self(t)
	r.ID = "00112233445566ff"
	return r
}

func self(t testing.TB) run.Run {
	t.Helper()
	r, err := run.Self()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// newLocal is a holder that is closed at the end of the test, before that looks
// for what is left.
func newLocal(t testing.TB, r run.Run) *Local {
	t.Helper()
	l := NewLocal(r, nil)
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error("close:", err)
		}
	})
	return l
}

// znodeOf names the grant that was given to the request.
func znodeOf(req Request, grant Grant) Znode {
	return Znode{Ensemble: req.Ensemble, Path: grant.Znode, Grant: grant.ID, Durable: req.Lock.Durable}
}

func take(t testing.TB, h Holder, req Request) Grant {
	t.Helper()
	grant, err := h.Acquire(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return grant
}

// result is how an acquire in the background ended.
type result struct {
	grant Grant
	err   error
}

// begin acquires in the background.
func begin(t testing.TB, h Holder, req Request) <-chan result {
	done := make(chan result, 1)
	go func() {
		grant, err := h.Acquire(t.Context(), req)
		done <- result{grant, err}
	}()
	return done
}

// await waits for something that goes on in another goroutine.
func await[T any](t testing.TB, what string, event <-chan T) T {
	t.Helper()
	select {
	case value := <-event:
		return value
	case <-time.After(patience):
		t.Fatalf("not within %v: %s", patience, what)
		panic("unreachable")
	}
}

// eventually waits for what no watch, pipe or exit tells: that a process which is
// not ours has ended. It is the only place that polls.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	bound := time.After(patience)
	for !done() {
		select {
		case <-ticker.C:
		case <-bound:
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// deleteEmpty deletes a directory that the end of a session may have left.
func deleteEmpty(space *zktest.Space, dir string) {
	if space.Exists(dir) {
		space.Delete(dir)
	}
}
