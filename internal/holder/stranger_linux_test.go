// SPDX-License-Identifier: MPL-2.0

package holder

import (
	"net"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// nobody is the id of a user who is not this one.
const nobody = 65534

// asNobody calls f in a thread that is another user's.
func asNobody(t *testing.T, f func() error) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can be another user")
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends here
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), nobody, ^uintptr(0)); errno != 0 {
			done <- errno
			return
		}
		done <- f()
	}()
	if err := await(t, "the other user", done); err != nil {
		t.Fatal(err)
	}
}

// Another user who listens at the address first stops the run's start, and is named.
func TestProcessWhereAStrangerListens(t *testing.T) {
	space := zktest.NewSpace(t)
	p := newProcess(t, startTerraform(t).Run)
	var stranger net.Listener
	asNobody(t, func() (err error) {
		stranger, err = net.Listen("unix", "@"+p.order.Address)
		return err
	})
	defer func() { _ = stranger.Close() }()
	if _, err := p.Acquire(t.Context(), request(t, space, "a", 0)); err == nil || !strings.Contains(err.Error(), "another user, \"nobody\"") {
		t.Errorf("acquire: %v", err)
	}
}

// Another user who connects gets no answer, whatever he asks for.
func TestProcessAnswersNoStranger(t *testing.T) {
	space := zktest.NewSpace(t)
	tf := startTerraform(t)
	p := newProcess(t, tf.Run)
	req := request(t, space, "a", 0)
	grant := take(t, p, req)
	var conn net.Conn
	asNobody(t, func() (err error) {
		conn, err = dial(p.order.Address, patience)
		return err
	})
	defer func() { _ = conn.Close() }()
	l := newLink(conn)
	_ = l.send(message{Op: opHello, Run: tf.ID})
	if err := l.receive(&answer{}); err == nil {
		t.Error("a stranger is answered")
	}
	if err := p.Release(t.Context(), znodeOf(req, grant)); err != nil {
		t.Error("release:", err)
	}
}
