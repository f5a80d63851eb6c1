// SPDX-License-Identifier: MPL-2.0

package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clocker/terraform-provider-clocker/internal/testkit"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// The word of the loss reaches the user wherever Terraform's standard error goes,
// and nothing overwrites it.
func TestLossIsToldOnStandardError(t *testing.T) {
	t.Parallel()
	for name, open := range sinks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLosing(t, zktest.NewSpace(t), "clocker_lock.a")
			path, written := open(t)
			apply := l.StartCommand(exec.Command("sh", "-c",
				fmt.Sprintf(`exec "$0" apply -no-color -auto-approve -input=false 2>'%s'`, path), l.CLI.Path))
			l.awaitHeld()
			l.deleted()
			apply.Fail()
			told := written()
			l.interrupted(apply, told)
			if !strings.Contains(told, "Error: ") {
				t.Errorf("Terraform's own words are lost:\n%s", told)
			}
			deleteEmpty(l.space, lockDir)
		})
	}
}

// sinks are what a standard error can be, beside the pipe that it is elsewhere:
// a path to open for writing, and what was written in the end.
var sinks = map[string]func(t *testing.T) (path string, written func() string){
	"file": func(t *testing.T) (string, func() string) {
		path := filepath.Join(t.TempDir(), "stderr")
		return path, func() string {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Error(err)
			}
			return string(text)
		}
	},
	"terminal": terminal,
}

// terminal is a new pseudo-terminal.
func terminal(t *testing.T) (path string, written func() string) {
	t.Helper()
	path, master, slave := openTerminal(t)
	if err := master.SetReadDeadline(time.Now().Add(2 * testkit.Patience)); err != nil {
		t.Fatal(err)
	}
	text := make(chan string, 1)
	go func() {
		all, _ := io.ReadAll(master) // ends with an error, EIO
		text <- strings.ReplaceAll(string(all), "\r\n", "\n")
	}()
	return path, func() string {
		_ = slave.Close()
		return testkit.Await(t, "the end of the terminal", text)
	}
}

// openTerminal opens both ends of a new pseudo-terminal.
func openTerminal(t *testing.T) (path string, master, slave *os.File) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Skip("no pseudo-terminals here:", err)
	}
	master = os.NewFile(uintptr(fd), "terminal")
	t.Cleanup(func() { _ = master.Close() })
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	path = "/dev/pts/" + strconv.Itoa(number)
	if err == nil {
		slave, err = os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0) // reading fails while nobody has it open
	}
	if err != nil {
		t.Fatal(err)
	}
	return path, master, slave
}

// It also reaches a standard error that is a socket, as below programs that run on
// Node, where the kernel lets processes of one user share descriptors.
func TestLossIsToldOnASocket(t *testing.T) {
	t.Parallel()
	if _, err := unix.PidfdGetfd(-1, 2, 0); errors.Is(err, unix.ENOSYS) {
		t.Skip("no pidfd_getfd here")
	}
	if scope, err := os.ReadFile("/proc/sys/kernel/yama/ptrace_scope"); err == nil && strings.TrimSpace(string(scope)) != "0" {
		t.Skip("processes share no descriptors here")
	}
	l := newLosing(t, zktest.NewSpace(t), "clocker_lock.a")
	// A shell, which starts with the socket as its descriptor 4.
	cmd := exec.Command("sh", "-c", `exec "$0" apply -no-color -auto-approve -input=false 2>&4 4>&-`, l.CLI.Path)
	socket, told := openSocket(t)
	cmd.ExtraFiles = []*os.File{socket}
	apply := l.StartCommand(cmd)
	_ = socket.Close()
	l.awaitHeld()
	l.deleted()
	apply.Fail()
	l.interrupted(apply, testkit.Await(t, "the end of the socket", told))
	deleteEmpty(l.space, lockDir)
}

// openSocket is a socket, and what was written there in the end.
func openSocket(t *testing.T) (socket *os.File, written <-chan string) {
	t.Helper()
	listener, err := net.Listen("unix", "@"+strings.ReplaceAll(t.TempDir(), "/", "_"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	told := make(chan string, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			told <- err.Error()
			return
		}
		all, _ := io.ReadAll(conn)
		told <- string(all)
	}()
	conn, err := net.Dial("unix", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	socket, err = conn.(*net.UnixConn).File()
	_ = conn.Close()
	if err != nil {
		t.Fatal(err)
	}
	return socket, told
}
