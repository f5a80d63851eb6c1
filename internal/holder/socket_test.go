// SPDX-License-Identifier: MPL-2.0

//go:build unix

package holder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// Any provider process of the run releases what another one took.
func TestProcessReleasesWhatAnotherTook(t *testing.T) {
	space := zktest.NewSpace(t)
	tf := startTerraform(t)
	first := newProcess(t, tf.Run)
	req := request(t, space, "a", 0)
	grant := take(t, first, req)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := newProcess(t, tf.Run).Release(t.Context(), znodeOf(req, grant)); err != nil {
		t.Error("release:", err)
	}
	if space.Exists(dir("a")) {
		t.Errorf("there is %q", space.Tree())
	}
}

// A provider of another version has a holder of its own in the same run. Both work, and
// each is another contender to the other.
func TestProcessOfAnotherVersion(t *testing.T) {
	space := zktest.NewSpace(t)
	tf := startTerraform(t)
	ours, theirs := newProcess(t, tf.Run), newProcess(t, tf.Run)
	theirs.order.Address = strings.Replace(ours.order.Address, "-"+protocol+"-", "-another-", 1)
	take(t, ours, request(t, space, "a", 0))
	take(t, theirs, request(t, space, "b", 0))
	if n := len(holders(t)); n != 2 {
		t.Errorf("there are %d holders", n)
	}
	_, err := theirs.Acquire(t.Context(), request(t, space, "a", 0))
	if !errors.Is(err, locker.ErrBusy) {
		t.Errorf("the lock of the other version: %v", err)
	}
	tf.end()
	space.WaitGone(dir("a"))
	space.WaitGone(dir("b"))
}

// The holders of two versions interrupt their run once.
func TestProcessesOfTwoVersionsInterruptOnce(t *testing.T) {
	space := zktest.NewSpace(t)
	terraform := startListening(t)
	ours, theirs := newProcess(t, terraform.Run), newProcess(t, terraform.Run)
	theirs.order.Address = strings.Replace(ours.order.Address, "-"+protocol+"-", "-another-", 1)
	for i, p := range []*Remote{ours, theirs} {
		lockID := fmt.Sprint("lock-", i)
		req := request(t, space, lockID, 0)
		req.Interrupt, req.Ensemble.SessionTimeout = true, 2*time.Second
		grant := take(t, p, req)
		space.Delete(strings.TrimPrefix(grant.Znode, space.Chroot()))
		terraform.isTold(t, lockID, []string{"Interrupting this run.", "This run is stopping already."}[i])
		if i == 0 {
			terraform.hears(t, "interrupted")
		}
	}
	terraform.endsUntold(t)
	awaitNoHolder(t)
	for i := range 2 {
		deleteEmpty(space, dir(fmt.Sprint("lock-", i)))
	}
}

// What connects to a holder and is not a provider process of its run gets nothing, and
// stops nothing.
func TestProcessOutlivesGarbage(t *testing.T) {
	space := zktest.NewSpace(t)
	tf := startTerraform(t)
	p := newProcess(t, tf.Run)
	req := request(t, space, "a", 0)
	grant := take(t, p, req)
	for _, garbage := range []string{"", "GET / HTTP/1.1\r\n\r\n", "\xf8\xff\xff\xff\xff\xff\xff\xff\xff", string(recorded(t, message{Op: opHello, Run: "another"}))} {
		conn, err := dial(p.order.Address, patience)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, garbage)
		_ = conn.(*net.UnixConn).CloseWrite()
		if answer, _ := io.ReadAll(conn); len(answer) > 0 {
			t.Errorf("%q is answered by %q", garbage, answer)
		}
		_ = conn.Close()
	}
	if err := p.Release(t.Context(), znodeOf(req, grant)); err != nil {
		t.Error("release:", err)
	}
}

// Who listens at the address before the run's holder does, and says nothing, stops
// no more than the run's start.
func TestProcessWhereAnotherListens(t *testing.T) {
	space := zktest.NewSpace(t)
	p := newProcess(t, startTerraform(t).Run)
	listener, end, err := listen(p.order.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	if _, _, err := listen(p.order.Address); !errors.Is(err, errTaken) {
		t.Errorf("another one to listen there: %v", err)
	}
	var silent *SilentError
	if _, err := p.Acquire(t.Context(), request(t, space, "a", 0)); !errors.As(err, &silent) {
		t.Errorf("acquire: %v", err)
	}
	go func() { // one that is about to end
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_ = conn.Close()
		}
	}()
	waiting := begin(t, p, request(t, space, "a", 0))
	end()
	if r := await(t, "the lock", waiting); r.err != nil {
		t.Errorf("acquire when nobody listens there any more: %v", r.err)
	}
}

// Nobody waits for a holder that is stopped.
func TestProcessThatIsStopped(t *testing.T) {
	space := zktest.NewSpace(t)
	tf := startTerraform(t)
	other := newLocal(t, otherRun(t))
	take(t, other, request(t, space, "blocked", 0))
	p := newProcess(t, tf.Run)
	p.pulse = 100 * time.Millisecond
	held := request(t, space, "held", 0)
	grant := take(t, p, held)
	waiting, _ := waitFor(t, p, request(t, space, "blocked", locker.NoLimit))
	h := holder(t)
	if err := h.SendSignal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	silent := func(what string, err error) {
		t.Helper()
		var silent *SilentError
		if !errors.As(err, &silent) || silent.PID != int(h.Pid) || !strings.Contains(err.Error(), fmt.Sprint("kill -CONT ", h.Pid)) {
			t.Errorf("%s: %v", what, err)
		}
	}
	silent("who waits", await(t, "the end of a wait", waiting).err)
	_, err := p.Acquire(t.Context(), request(t, space, "another", 0))
	silent("who comes", err)
	silent("a release", p.Release(t.Context(), znodeOf(held, grant)))
	if err := h.SendSignal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	space.WaitChildren(dir("blocked"), 1)
	if err := p.Release(t.Context(), znodeOf(held, grant)); err != nil {
		t.Error("release:", err)
	}
}

// A wait that is cancelled ends though the holder is stopped. What was granted
// meanwhile is given back.
func TestProcessThatIsStoppedAndAWaitThatIsCancelled(t *testing.T) {
	space := zktest.NewSpace(t)
	tf := startTerraform(t)
	other := newLocal(t, otherRun(t))
	req := request(t, space, "a", locker.NoLimit)
	theirs := take(t, other, req)
	p := newProcess(t, tf.Run)
	take(t, p, request(t, space, "held", 0)) // it stays
	waiting, cancel := waitFor(t, p, req)
	h := holder(t)
	if err := h.SendSignal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	cancel()
	r := await(t, "the end of a wait", waiting)
	if !errors.As(r.err, new(*SilentError)) || !errors.Is(r.err, context.Canceled) {
		t.Errorf("the cancelled acquire: %+v", r)
	}
	if err := other.Release(t.Context(), znodeOf(req, theirs)); err != nil {
		t.Fatal(err)
	}
	if err := h.SendSignal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	space.WaitGone(dir("a"))
}

// A holder that is killed while it holds a lock has its sentinel answer for it.
func TestSentinelAnswersForAKilledHolder(t *testing.T) {
	space := zktest.NewSpace(t)
	terraform := startListening(t)
	p := newProcess(t, terraform.Run)
	req := request(t, space, "a", 0)
	req.Interrupt, req.Ensemble.SessionTimeout = true, sessionThatEnds
	grant := take(t, p, req)
	kill(t, Command)
	terraform.isTold(t, `"a"`, "Interrupting this run.")
	terraform.hears(t, "interrupted")
	var interrupted *InterruptedError
	for _, p := range []*Remote{p, newProcess(t, terraform.Run)} {
		if _, err := p.Acquire(t.Context(), request(t, space, "b", 0)); !errors.As(err, &interrupted) || interrupted.Znode != grant.Znode {
			t.Errorf("another acquire: %v", err)
		}
	}
	var lost *LostError
	if err := p.Release(t.Context(), znodeOf(req, grant)); !errors.As(err, &lost) || lost.LockID != "a" {
		t.Errorf("release: %v", err)
	}
	p.Stopping()
	terraform.endsUntold(t)
	awaitNoHolder(t)
	awaitTimeouts(space, "a")
}

// A durable lock is released again unless its answer was taken: no state would know
// of it.
func TestDurableLockThatNobodyTook(t *testing.T) {
	for name, test := range map[string]struct {
		last op
		left int
	}{
		"the provider dies": {0, 0},
		"it is cancelled":   {opCancel, 0},
		"it is taken":       {opTaken, 1},
	} {
		t.Run(name, func(t *testing.T) {
			space := zktest.NewSpace(t)
			near, ended := served(t, newLocal(t, self(t)))
			l := newLink(near)
			req := durable(t, space, nil)
			if err := errors.Join(l.send(message{Op: opHello, Run: self(t).ID}), l.receive(&answer{}), l.send(message{ID: 1, Op: opAcquire, Request: &req})); err != nil {
				t.Fatal(err)
			}
			var a answer
			if err := l.receive(&a); err != nil || a.Failure != nil {
				t.Fatal(err, a.Failure.err())
			}
			if test.last != 0 {
				if err := l.send(message{ID: 1, Op: test.last}); err != nil {
					t.Fatal(err)
				}
			}
			_ = near.Close()
			await(t, "the end of the connection", ended)
			if left := space.Children(dir("a")); len(left) != test.left {
				t.Errorf("there is %q", left)
			} else if test.left > 0 {
				space.Delete(dir("a")+"/"+left[0], dir("a"))
			}
		})
	}
}

// Where sockets are files, they are in a directory that is this user's alone, and one
// that a killed process has left is taken over.
func TestSocketFile(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	name, err := socketFile("address")
	if err != nil {
		t.Fatal(err)
	}
	directory := filepath.Dir(name)
	if info, err := os.Stat(directory); err != nil || info.Mode() != os.ModeDir|0o700 {
		t.Errorf("its directory: %v, %v", info, err)
	}
	if unlock, err := lockDir(directory); err != nil {
		t.Error(err)
	} else {
		unlock()
	}
	if err := os.Chmod(directory, 0o777); err != nil { //nolint:gosec // that is what is wrong
		t.Fatal(err)
	}
	if _, err := socketFile("address"); err == nil {
		t.Error("a directory of everyone's will do")
	}
}
