// SPDX-License-Identifier: MPL-2.0

//go:build unix

package holder

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/run"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// A holder that is killed when its provider has gone long since, as while the work
// goes on that a resource's lock guards: the run is told of each lock that was
// held, and of no other, and is interrupted once. The log says it, too.
func TestKilledHolderIsNoticed(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	t.Setenv(EnvLogPath, log)
	space := zktest.NewSpace(t)
	terraform := startListening(t)
	requests := make([]Request, 3)
	for i, lockID := range []string{"a", "b", "unheeded"} {
		requests[i] = request(t, space, lockID, 0)
		requests[i].Ensemble.SessionTimeout = sessionThatEnds
		requests[i].Interrupt = lockID != "unheeded"
	}
	p := startProvider(t, terraform.Run, requests...)
	for range requests {
		p.granted()
	}
	p.end()
	kill(t, Command)
	terraform.isToldOfEach(t, "a", "b", "unheeded")
	terraform.hears(t, "interrupted")
	terraform.endsUntold(t)
	awaitNoHolder(t)
	if text, err := os.ReadFile(log); err != nil || strings.Count(string(text), `msg="lock lost"`) != len(requests) {
		t.Errorf("the log, %v:\n%s", err, text)
	}
	awaitTimeouts(space, "a", "b", "unheeded")
}

// What was released or lost before is none of a sentinel's business, nor is a
// holder that is told to end.
func TestSentinelKnowsWhatIsHeld(t *testing.T) {
	space := zktest.NewSpace(t)
	terraform := startListening(t)
	p := newProcess(t, terraform.Run)
	take := func(lockID string) (Grant, Znode) {
		req := request(t, space, lockID, 0)
		req.Ensemble.SessionTimeout = sessionThatEnds
		grant := take(t, p, req)
		return grant, znodeOf(req, grant)
	}
	_, released := take("released")
	if err := p.Release(t.Context(), released); err != nil {
		t.Fatal(err)
	}
	lost, _ := take("lost")
	space.Delete(strings.TrimPrefix(lost.Znode, space.Chroot()))
	terraform.isTold(t, `"lost"`, "somebody deleted its znode")
	take("held")
	kill(t, Command)
	terraform.isToldOfEach(t, "held")
	terraform.endsUntold(t)
	awaitNoHolder(t)
	awaitTimeouts(space, "lost", "held")
}

// However many locks came and went, and though it reads of few of them before its
// holder has ended.
func TestSentinelKnowsOfManyLocks(t *testing.T) {
	terraform, s := newSentinel(t)
	const locks = 500
	var held []string
	for i := range locks {
		lockID := fmt.Sprint("lock", i)
		number, err := s.watch(guarded{LockID: lockID, Znode: "/" + strings.Repeat("x", i)})
		switch {
		case err != nil:
			t.Fatal(err)
		case i%97 != 0:
			s.forget(number)
		default:
			held = append(held, lockID)
		}
	}
	sentinel := s.cmd.Process
	s.hangUp() // as the end of this process would
	terraform.isToldOfEach(t, held...)
	terraform.endsUntold(t)
	if state, err := sentinel.Wait(); err != nil || !state.Success() {
		t.Errorf("the sentinel ended with %v, %v", state, err)
	}
}

// A sentinel that is killed itself is replaced when the next lock is taken, by one
// that knows of all.
func TestSentinelIsReplaced(t *testing.T) {
	space := zktest.NewSpace(t)
	terraform := startListening(t)
	p := newProcess(t, terraform.Run)
	for i, lockID := range []string{"a", "b"} {
		if i > 0 {
			kill(t, SentinelCommand)
		}
		req := request(t, space, lockID, 0)
		req.Ensemble.SessionTimeout = sessionThatEnds
		take(t, p, req)
	}
	kill(t, Command)
	terraform.isToldOfEach(t, "a", "b")
	terraform.endsUntold(t)
	awaitNoHolder(t)
	awaitTimeouts(space, "a", "b")
}

// The run was interrupted before its holder is killed. The sentinel knows that, and so does
// one that took the place of another since: it does not interrupt the run again.
func TestSentinelKnowsOfAnInterrupt(t *testing.T) {
	for name, replaced := range map[string]bool{"the first sentinel": false, "another one": true} {
		t.Run(name, func(t *testing.T) {
			space := zktest.NewSpace(t)
			terraform := startListening(t)
			p := newProcess(t, terraform.Run)
			req := request(t, space, "a", 0)
			req.Interrupt, req.Ensemble.SessionTimeout = true, sessionThatEnds
			take(t, p, req)
			stopping(t, p, space)
			if replaced {
				kill(t, SentinelCommand)
				stopping(t, p, space) // takes a lock, for which there is another sentinel
			}
			kill(t, Command)
			terraform.isTold(t, `lock "a"`, "This run is stopping already.")
			terraform.endsUntold(t)
			awaitNoHolder(t)
			awaitTimeouts(space, "a")
		})
	}
}

// A sentinel that is stopped does not stop its holder, and takes the end of its pipe
// for no end of that when it is replaced.
func TestSentinelThatIsStopped(t *testing.T) {
	terraform, s := newSentinel(t)
	stopped := s.cmd.Process
	if err := stopped.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for i := 0; s.cmd.Process == stopped; i++ {
		if _, err := s.watch(guarded{LockID: fmt.Sprint(i), Znode: "/" + strings.Repeat("x", 1000)}); err != nil {
			t.Fatal(err)
		}
	}
	s.dismiss()
	awaitNoHolder(t)
	terraform.endsUntold(t)
}

// newSentinel returns a run and a sentinel of this process for it.
func newSentinel(t *testing.T) (*listening, *sentinel) {
	t.Helper()
	expectNoHolder(t)
	terraform := startListening(t)
	o := order{Run: terraform.Run, Address: addressOf(terraform.ID)}
	socket, end, err := listen(o.Address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(end)
	s := sentinelFor(o, socket)
	err = s.start()
	if err != nil {
		t.Fatal(err)
	}
	return terraform, s
}

// awaitTimeouts waits until the sessions of the locks have ended, and deletes the
// directories that this leaves.
func awaitTimeouts(space *zktest.Space, lockIDs ...string) {
	for _, lockID := range lockIDs {
		space.WaitChildren(dir(lockID), 0)
		space.Delete(dir(lockID))
	}
}

// sessionThatEnds is a session timeout that a test waits for. It is long enough for a busy
// machine: a lock is believed in for less than half of it if a quorum does not answer.
const sessionThatEnds = sessionTimeout / 10

// endsUntold lets the run end, which must not have been told anything more.
func (l *listening) endsUntold(t *testing.T) {
	t.Helper()
	l.ends(t)
	if more := l.toldMore(t); more != "" {
		t.Errorf("the run was also told %q", more)
	}
}

// kill ends the only process for the command by SIGKILL, and waits for that.
func kill(t *testing.T, command string) {
	t.Helper()
	p := only(t, command)
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	// Only a zombie has closed its pipes.
	eventually(t, "the end of a killed process", func() bool {
		_, err := run.Of(int(p.Pid))
		return errors.Is(err, run.ErrEnded)
	})
}
