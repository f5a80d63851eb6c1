// SPDX-License-Identifier: MPL-2.0

//go:build unix

package holder

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/run"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// listener is a process that plays the run, and tells on standard output which
// interrupts it gets, until a line on standard input ends it.
const listener = `trap 'echo interrupted' INT; echo ready; until read -r _; do :; done; echo ended`

// listening is a running listener.
type listening struct {
	run.Run
	in       *os.File
	heard    *os.File // standard output
	told     *os.File // standard error
	toldSide *os.File // its other end
}

func startListening(t *testing.T) *listening {
	t.Helper()
	expectNoHolder(t)
	cmd := exec.Command("sh", "-c", listener)
	l := &listening{}
	var stdin, stdout *os.File
	for _, p := range []struct{ r, w **os.File }{{&stdin, &l.in}, {&l.heard, &stdout}, {&l.told, &l.toldSide}} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = r.Close(); _ = w.Close() })
		*p.r, *p.w = r, w
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, l.toldSide
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	_ = stdin.Close()
	_ = stdout.Close()
	l.hears(t, "ready")
	var err error
	if l.Run, err = run.Of(cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	return l
}

// hears waits for what the run has to tell next.
func (l *listening) hears(t *testing.T, want string) {
	t.Helper()
	if err := l.heard.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, len(want)+1)
	if _, err := io.ReadFull(l.heard, line); err != nil || string(line) != want+"\n" {
		t.Fatalf("the run tells %q, want %q: %v", line, want, err)
	}
}

// ends lets the run end, which must not have been interrupted again.
func (l *listening) ends(t *testing.T) {
	t.Helper()
	if _, err := l.in.WriteString("\n"); err != nil {
		t.Fatal(err)
	}
	l.hears(t, "ended")
}

// isTold waits for a message on the run's standard error.
func (l *listening) isTold(t *testing.T, wants ...string) {
	t.Helper()
	if err := l.told.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 4096)
	n, err := l.told.Read(buffer)
	for _, want := range wants {
		if !strings.Contains(string(buffer[:n]), want) {
			t.Errorf("the run is told %q, which does not say %q: %v", buffer[:n], want, err)
		}
	}
}

// isToldOfEach waits until the run is told that the locks are lost, each once.
func (l *listening) isToldOfEach(t *testing.T, lockIDs ...string) {
	t.Helper()
	if err := l.told.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	buffer := make([]byte, 4096)
	for strings.Count(text.String(), "\n\n")+1 < len(lockIDs) || !strings.HasSuffix(text.String(), ".\n") {
		n, err := l.told.Read(buffer)
		if err != nil {
			t.Fatalf("the run is told %q: %v", text.String(), err)
		}
		text.Write(buffer[:n])
	}
	if n := strings.Count(text.String(), "clocker: "); n != len(lockIDs) {
		t.Errorf("the run is told %d times, want of %q:\n%s", n, lockIDs, text.String())
	}
	for _, lockID := range lockIDs {
		if n := strings.Count(text.String(), fmt.Sprintf("lock %q", lockID)); n != 1 {
			t.Errorf("the run is told of lock %q %d times:\n%s", lockID, n, text.String())
		}
	}
}

// toldMore is what the run, which has ended, was told beside what was read.
func (l *listening) toldMore(t *testing.T) string {
	t.Helper()
	_ = l.toldSide.Close()
	if err := l.told.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(l.told)
	if err != nil {
		t.Fatal(err)
	}
	return string(rest)
}

// A lock that an operator deletes interrupts the run, once, tells it why, and is
// told again to whoever releases it.
func TestProcessTellsALoss(t *testing.T) {
	for name, interrupt := range map[string]bool{"interrupt": true, "continue": false} {
		t.Run(name, func(t *testing.T) {
			space := zktest.NewSpace(t)
			terraform := startListening(t)
			p := newProcess(t, terraform.Run)
			requests, grants := map[string]Request{}, map[string]Grant{}
			for _, lockID := range []string{"a", "b"} {
				req := request(t, space, lockID, 0)
				req.Interrupt = interrupt
				req.Ensemble.SessionTimeout = 2 * time.Second
				requests[lockID], grants[lockID] = req, take(t, p, req)
			}
			for _, lockID := range []string{"a", "b"} {
				req, grant := requests[lockID], grants[lockID]
				space.Delete(strings.TrimPrefix(grant.Znode, space.Chroot()))
				says := map[bool]string{true: "Interrupting this run.", false: "goes on unguarded"}[interrupt]
				if interrupt && lockID == "b" {
					says = "This run is stopping already."
				}
				terraform.isTold(t, "clocker: ", `"`+lockID+`"`, grant.Znode, "somebody deleted its znode", says)
				if interrupt && lockID == "a" {
					terraform.hears(t, "interrupted")
				}
				znode := znodeOf(req, grant)
				var lost *LostError
				if err := p.Release(t.Context(), znode); !errors.As(err, &lost) || lost.LockID != lockID || lost.Znode != grant.Znode {
					t.Errorf("release: %v, want its loss", err)
				}
				if err := p.Release(t.Context(), znode); err != nil {
					t.Error("another release:", err)
				}
				deleteEmpty(space, dir(lockID))
			}
			_, err := p.Acquire(t.Context(), request(t, space, "c", 0))
			var interrupted *InterruptedError
			if errors.As(err, &interrupted) != interrupt || interrupt && interrupted.LockID != "a" {
				t.Errorf("another acquire: %v", err)
			}
			terraform.ends(t)
			space.WaitGone(dir("c"))
		})
	}
}

// stopping says that the run was interrupted, which the holder knows when it has
// answered what comes behind.
func stopping(t *testing.T, p *Remote, space *zktest.Space) {
	t.Helper()
	p.Stopping()
	req := request(t, space, "behind", 0)
	if err := p.Release(t.Context(), znodeOf(req, take(t, p, req))); err != nil {
		t.Fatal(err)
	}
}

// A run that was interrupted already is told of a loss, and not interrupted again,
// whichever of its providers took the lock.
func TestLossOfARunThatIsStopping(t *testing.T) {
	space := zktest.NewSpace(t)
	terraform := startListening(t)
	first, second := newProcess(t, terraform.Run), newProcess(t, terraform.Run)
	lose := func(p *Remote, lockID string) {
		t.Helper()
		req := request(t, space, lockID, 0)
		req.Interrupt = true
		req.Ensemble.SessionTimeout = 2 * time.Second
		grant := take(t, p, req)
		if p == first {
			stopping(t, p, space)
		}
		space.Delete(strings.TrimPrefix(grant.Znode, space.Chroot()))
		terraform.isTold(t, `"`+lockID+`"`, "This run is stopping already.")
	}
	lose(first, "a")
	lose(second, "b")
	terraform.ends(t)
	awaitNoHolder(t)
	for _, lockID := range []string{"a", "b"} {
		deleteEmpty(space, dir(lockID))
	}
}

// The holder of a run that was interrupted stays to know of it, though it has nothing
// to hold.
func TestHolderOfARunThatIsStoppingStays(t *testing.T) {
	space := zktest.NewSpace(t)
	terraform := startListening(t)
	p := newProcess(t, terraform.Run)
	first := request(t, space, "first", 0)
	if err := p.Release(t.Context(), znodeOf(first, take(t, p, first))); err != nil { // now it is connected
		t.Fatal(err)
	}
	stopping(t, p, space)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	for range 50 { // it learns late that the last one has left
		passing := newProcess(t, terraform.Run)
		if _, err := passing.Own(t.Context(), "/none"); err != nil {
			t.Fatal(err)
		}
		_ = passing.Close()
	}
	other := newProcess(t, terraform.Run)
	req := request(t, space, "a", 0)
	req.Interrupt = true
	req.Ensemble.SessionTimeout = 2 * time.Second
	grant := take(t, other, req)
	space.Delete(strings.TrimPrefix(grant.Znode, space.Chroot()))
	terraform.isTold(t, "This run is stopping already.")
	terraform.ends(t)
	awaitNoHolder(t)
	deleteEmpty(space, dir("a"))
}
