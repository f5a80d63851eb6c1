// SPDX-License-Identifier: MPL-2.0

package run

import (
	"errors"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A run's terminal is found by a process that has none, or another one.
func TestTerminal(t *testing.T) {
	master, slave := terminal(t)
	cmd := helper("idle")
	cmd.ExtraFiles = []*os.File{slave}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 3}
	c := start(t, cmd)
	c.expect("ready")
	out, err := c.run().Terminal()
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.WriteString(out, "hello\n")
	if err := errors.Join(err, out.Close(), master.SetReadDeadline(time.Now().Add(deadline))); err != nil {
		t.Fatal(err)
	}
	said := make([]byte, len("hello"))
	if _, err := io.ReadFull(master, said); err != nil || string(said) != "hello" {
		t.Errorf("the terminal shows %q, %v", said, err)
	}

	without := helper("idle")
	without.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	c = start(t, without)
	c.expect("ready")
	if out, err := c.run().Terminal(); err == nil {
		_ = out.Close()
		t.Error("a process without a terminal has one")
	}
}

// A standard error that is a socket, as those of programs that Node starts, is had
// where its descriptor is, and not through its file.
func TestStderrThatIsASocket(t *testing.T) {
	eachAccess(t, func(t *testing.T) {
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		ours, theirs := os.NewFile(uintptr(pair[0]), "ours"), os.NewFile(uintptr(pair[1]), "theirs")
		defer func() { _ = ours.Close(); _ = theirs.Close() }()
		cmd := helper("idle")
		cmd.Stderr = theirs
		c := start(t, cmd)
		c.expect("ready")
		out, err := c.run().Stderr()
		if strings.HasSuffix(t.Name(), "file") {
			if err == nil {
				t.Error("it can be opened")
				_ = out.Close()
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.WriteString(out, "hello")
		if err := errors.Join(err, out.Close()); err != nil {
			t.Fatal(err)
		}
		said := make([]byte, len("hello"))
		if _, err := io.ReadFull(ours, said); err != nil || string(said) != "hello" {
			t.Errorf("the socket has %q, %v", said, err)
		}
	})
}

// Nobody waits for long where nobody reads.
func TestStderrThatIsFull(t *testing.T) {
	eachAccess(t, func(t *testing.T) {
		_, w := pipe(t)
		size, err := unix.FcntlInt(w.Fd(), unix.F_GETPIPE_SZ, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		cmd := helper("idle")
		cmd.Stderr = w
		c := start(t, cmd)
		c.expect("ready")
		out, err := c.run().Stderr()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = out.Close() }()
		if _, err := io.WriteString(out, "hello"); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("write: %v", err)
		}
	})
}
