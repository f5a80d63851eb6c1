// SPDX-License-Identifier: MPL-2.0

//go:build unix

package holder

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// A lock stays when the provider ends, however it does, until the run ends,
// however that does. The holder process goes then.
func TestProcessHoldsUntilTheRunEnds(t *testing.T) {
	for name, endProvider := range map[string]func(*provider){"provider ended": (*provider).end, "provider killed": (*provider).kill} {
		for name2, endRun := range map[string]func(*terraform){"run ended": (*terraform).end, "run killed and not reaped": (*terraform).kill} {
			t.Run(name+" "+name2, func(t *testing.T) {
				expectNoHolder(t)
				space := zktest.NewSpace(t)
				tf := startTerraform(t)
				p := startProvider(t, tf.Run, request(t, space, "a", 0))
				grant := p.granted()
				endProvider(p)
				if left := holder(t); len(space.Children(dir("a"))) != 1 {
					t.Errorf("the lock is gone with the provider, its holder %v is not", left)
				}
				endRun(tf)
				space.WaitGone(grant.Znode[len(space.Chroot()):])
				awaitNoHolder(t)
				space.WaitGone(dir("a"))
			})
		}
	}
}

// A provider that ends while it waits leaves no contender, and no holder process
// though the run goes on.
func TestProcessEndsWithAWaitingProvider(t *testing.T) {
	for name, end := range map[string]func(*provider){"ended": (*provider).end, "killed": (*provider).kill} {
		t.Run(name, func(t *testing.T) {
			expectNoHolder(t)
			space := zktest.NewSpace(t)
			req := request(t, space, "a", locker.NoLimit)
			other := take(t, newLocal(t, otherRun(t)), req)
			p := startProvider(t, startTerraform(t).Run, req)
			space.WaitChildren(dir("a"), 2)
			end(p)
			awaitNoHolder(t)
			if left := space.Children(dir("a")); len(left) != 1 || !strings.HasSuffix(other.Znode, left[0]) {
				t.Errorf("the queue is %q, want the other's", left)
			}
		})
	}
}

// A provider that is killed while it holds one lock and waits for another: the
// holder's last word to it ends nowhere, and must not be the holder's end.
func TestProcessOutlivesTheReaderOfItsPipe(t *testing.T) {
	expectNoHolder(t)
	space := zktest.NewSpace(t)
	blocked := request(t, space, "blocked", locker.NoLimit)
	take(t, newLocal(t, otherRun(t)), blocked)
	tf := startTerraform(t)
	p := startProvider(t, tf.Run, request(t, space, "held", 0), blocked)
	grant := p.granted()
	space.WaitChildren(dir("blocked"), 2)
	p.kill()
	space.WaitChildren(dir("blocked"), 1)
	tf.end()
	// In time only if it is released: its session lasts longer.
	space.WaitGone(grant.Znode[len(space.Chroot()):])
}

// The end of the run ends what its provider still waits for.
func TestProcessEndsWithTheRun(t *testing.T) {
	space := zktest.NewSpace(t)
	req := request(t, space, "a", locker.NoLimit)
	take(t, newLocal(t, otherRun(t)), req)
	tf := startTerraform(t)
	p := newProcess(t, tf.Run)
	waiting := begin(t, p, req)
	space.WaitChildren(dir("a"), 2)
	tf.kill()
	if r := await(t, "the end of a waiting acquire", waiting); !errors.Is(r.err, ErrEnded) {
		t.Errorf("the waiting acquire: %v, want %v", r.err, ErrEnded)
	}
	space.WaitChildren(dir("a"), 1)
	awaitNoHolder(t)
	if _, err := p.Acquire(t.Context(), req); !errors.Is(err, ErrEnded) {
		t.Errorf("an acquire for a run that has ended: %v, want %v", err, ErrEnded)
	}
}

// A run whose pid another process has by now has ended, though that one lives.
func TestProcessServesNoOtherProcessWithThePid(t *testing.T) {
	space := zktest.NewSpace(t)
	r := startTerraform(t).Run
	r.Start-- // of one that was there before
	if _, err := newProcess(t, r).Acquire(t.Context(), request(t, space, "a", 0)); !errors.Is(err, ErrEnded) {
		t.Errorf("an acquire for a run whose pid is another's: %v, want %v", err, ErrEnded)
	}
	awaitNoHolder(t)
	space.WaitChildren("/_zklocking", 0)
}

// What is being released is no loss when its holder process ends: what it guarded is
// over. Whoever releases it is told that this is not confirmed.
func TestProcessThatEndsDuringAReleaseLosesNothing(t *testing.T) {
	space := zktest.NewSpace(t)
	proxy := zktest.NewProxy(t, space.Server())
	terraform := startListening(t)
	p := newProcess(t, terraform.Run)
	req := request(t, space, "a", 0)
	req.Interrupt = true
	req.Ensemble.Servers = []string{proxy.Addr()}
	grant := take(t, p, req)
	release := proxy.Catch(zktest.Request, func(p zktest.Packet) bool { return p.Op == zktest.OpMulti })
	done := make(chan error, 1)
	go func() { done <- p.Release(t.Context(), znodeOf(req, grant)) }()
	release.Wait()
	if err := holder(t).Kill(); err != nil {
		t.Fatal(err)
	}
	var lost *LostError
	if err := await(t, "the end of the release", done); !errors.Is(err, ErrEnded) || errors.As(err, &lost) {
		t.Errorf("release: %v, want %v, and no loss", err, ErrEnded)
	}
	awaitNoHolder(t)
	release.Pass()
	space.WaitGone(dir("a"))
	terraform.ends(t) // and has not been interrupted
}

// The signals of a terminal, of a service manager and of a tree killer are meant for
// Terraform: the lock is held until that has ended.
func TestProcessIgnoresSignals(t *testing.T) {
	space := zktest.NewSpace(t)
	tf := startTerraform(t)
	p := newProcess(t, tf.Run)
	first := request(t, space, "first", 0)
	grant := take(t, p, first)
	pid := holder(t).Pid
	for _, command := range []string{Command, SentinelCommand} {
		for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGHUP, syscall.SIGTERM} {
			if err := syscall.Kill(int(only(t, command).Pid), signal); err != nil {
				t.Fatal(err)
			}
		}
	}
	// A signal is delivered before the next request can be answered.
	take(t, p, request(t, space, "second", 0))
	if now := holder(t).Pid; now != pid {
		t.Errorf("the holder process is %d, and was %d", now, pid)
	}
	only(t, SentinelCommand)
	if err := p.Release(t.Context(), znodeOf(first, grant)); err != nil {
		t.Error("release:", err)
	}
	if space.Exists(dir("first")) {
		t.Error("the released lock is there")
	}
	tf.end()
	space.WaitGone(dir("second"))
}

// A holder process that is killed fails what waits; the next acquire starts
// another.
func TestProcessIsStartedAgain(t *testing.T) {
	space := zktest.NewSpace(t)
	req := request(t, space, "a", locker.NoLimit)
	req.Ensemble.SessionTimeout = sessionThatEnds
	other := newLocal(t, otherRun(t))
	grant := take(t, other, req)
	tf := startTerraform(t)
	p := newProcess(t, tf.Run)
	waiting := begin(t, p, req)
	space.WaitChildren(dir("a"), 2)
	first := holder(t)
	if err := first.Kill(); err != nil {
		t.Fatal(err)
	}
	if r := await(t, "the end of a waiting acquire", waiting); !errors.Is(r.err, ErrEnded) {
		t.Errorf("the waiting acquire: %v, want %v", r.err, ErrEnded)
	}
	space.WaitChildren(dir("a"), 1) // its session is over
	if err := other.Release(t.Context(), znodeOf(req, grant)); err != nil {
		t.Fatal(err)
	}
	take(t, p, req)
	if second := holder(t); second.Pid == first.Pid {
		t.Error("the killed process goes on")
	}
	tf.end()
	space.WaitGone(dir("a"))
}

// All acquires of all providers of a run share one holder process.
func TestProcessIsOne(t *testing.T) {
	space := zktest.NewSpace(t)
	tf := startTerraform(t)
	var all sync.WaitGroup
	for _, lockID := range strings.Split("abcdefgh", "") {
		p := newProcess(t, tf.Run)
		req := request(t, space, lockID, 0)
		all.Go(func() {
			if _, err := p.Acquire(t.Context(), req); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	holder(t)
	tf.end()
	space.WaitChildren("/_zklocking", 0)
}

// Without a holder process nothing is held any more, and none is started to say so.
func TestProcessReleasesNothing(t *testing.T) {
	space := zktest.NewSpace(t)
	req := request(t, space, "a", 0)
	grant := take(t, newLocal(t, otherRun(t)), req)
	p := newProcess(t, startTerraform(t).Run)
	var lost *LostError
	if err := p.Release(t.Context(), znodeOf(req, grant)); !errors.As(err, &lost) || lost.Znode != grant.Znode {
		t.Error("release:", err)
	}
	if len(holders(t)) != 0 || len(space.Children(dir("a"))) != 1 {
		t.Error("a holder process was started, or another's lock released")
	}
}

// The log tells of the connection, and does not change what the file had.
func TestProcessLog(t *testing.T) {
	space := zktest.NewSpace(t)
	proxy := zktest.NewProxy(t, space.Server())
	file := filepath.Join(t.TempDir(), "log")
	t.Setenv(EnvLogPath, file)
	if err := os.WriteFile(file, []byte("before\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	logged := func(message string, times int) func() bool {
		return func() bool {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			return strings.HasPrefix(string(text), "before\n") && strings.Count(string(text), fmt.Sprintf("msg=%q", message)) == times
		}
	}
	tf := startListening(t)
	p := newProcess(t, tf.Run)
	req := request(t, space, "a", 0)
	req.Ensemble.Servers = []string{proxy.Addr()}
	take(t, p, req)
	eventually(t, "the first connection in the log", logged("connected to ZooKeeper", 1))
	proxy.Cut()
	eventually(t, "the loss of the connection in the log", logged("connection to ZooKeeper lost", 1))
	eventually(t, "the second connection in the log", logged("connected to ZooKeeper", 2))
	proxy.Expire()
	eventually(t, "the end of the session in the log", logged("session expired", 1))
	eventually(t, "the loss of the lock in the log", logged("lock lost", 1))
	tf.ends(t)
	eventually(t, "the end of the holder in the log", logged("holder ended", 1))
	space.Delete(dir("a")) // which the end of a session leaves
}
