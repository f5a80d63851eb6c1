// SPDX-License-Identifier: MPL-2.0

package run

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func init() {
	helpers["says"] = func() error {
		lines := bufio.NewReader(os.Stdin)
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				return ignoreEOF(err)
			}
			fmt.Fprint(os.Stderr, line)
			fmt.Print("said ", line)
		}
	}
}

// eachAccess runs a test for each way to another process's standard error: its
// very descriptor, and, where a kernel or a security module refuses that, the file
// behind it.
func eachAccess(t *testing.T, test func(t *testing.T)) {
	open := pidfdOpen
	t.Cleanup(func() { pidfdOpen = open })
	t.Run("its descriptor", func(t *testing.T) {
		if _, err := unix.PidfdGetfd(-1, stderrFD, 0); errors.Is(err, unix.ENOSYS) {
			t.Skip("no pidfd_getfd here")
		}
		pidfdOpen = open
		test(t)
	})
	t.Run("its file", func(t *testing.T) {
		pidfdOpen = func(int, int) (int, error) { return -1, unix.EPERM }
		test(t)
	})
}

func TestStderr(t *testing.T) {
	// What the run's standard error is, and where that can be read.
	sinks := map[string]func(t *testing.T) (stderr *os.File, written func() string){
		"pipe": func(t *testing.T) (*os.File, func() string) {
			r, w := pipe(t)
			return w, readAll(t, r)
		},
		"file that is appended to": func(t *testing.T) (*os.File, func() string) {
			return file(t, os.O_APPEND)
		},
		"terminal": func(t *testing.T) (*os.File, func() string) {
			master, slave := terminal(t)
			return slave, readAll(t, master)
		},
	}
	eachAccess(t, func(t *testing.T) {
		for name, sink := range sinks {
			t.Run(name, func(t *testing.T) {
				stderr, written := sink(t)
				saysAndHears(t, stderr)
				if got, want := written(), "one\ntwo\nthree\n"; got != want {
					t.Errorf("written is %q, want %q", got, want)
				}
			})
		}
	})
}

// A shell's 2>file is not opened for appending. Whoever writes to the run's own
// descriptor shares its place in the file.
func TestStderrSharesThePlaceInAFile(t *testing.T) {
	if _, err := unix.PidfdGetfd(-1, stderrFD, 0); errors.Is(err, unix.ENOSYS) {
		t.Skip("no pidfd_getfd here")
	}
	stderr, written := file(t, 0)
	saysAndHears(t, stderr)
	if got, want := written(), "one\ntwo\nthree\n"; got != want {
		t.Errorf("the file says %q, want %q", got, want)
	}
}

// saysAndHears lets a run with this standard error say one and three, and says two
// in between.
func saysAndHears(t *testing.T, stderr *os.File) {
	t.Helper()
	cmd := helper("says")
	cmd.Stderr = stderr
	c := start(t, cmd)
	say := func(word string) {
		t.Helper()
		if _, err := fmt.Fprintln(c.in, word); err != nil {
			t.Fatal(err)
		}
		c.expect("said " + word)
	}
	say("one")
	out, err := c.run().Stderr()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(out, "two\n"); err != nil {
		t.Error(err)
	}
	if err := out.Close(); err != nil {
		t.Error(err)
	}
	say("three")
	_ = c.in.Close()
	c.reap()
	_ = stderr.Close()
}

func TestStderrOfAnotherRun(t *testing.T) {
	eachAccess(t, func(t *testing.T) {
		c := start(t, helper("idle"))
		c.expect("ready")
		ended := c.run()
		before := ended
		before.Start--
		for what, r := range map[string]Run{"one before with its pid": before, "one that has ended": ended} {
			if r == ended {
				c.kill()
				c.reap()
			}
			out, err := r.Stderr()
			if err == nil {
				t.Errorf("got that of %s", what)
				_ = out.Close()
			}
			requireErrEnded(t, err)
		}
	})
}

// file is an open file, and what it says.
func file(t *testing.T, flag int) (*os.File, func() string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "stderr")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|flag, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	return f, func() string {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
		}
		return string(text)
	}
}

// terminal is a new pseudo-terminal, nobody's controlling one.
func terminal(t *testing.T) (master, slave *os.File) {
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
	if err == nil {
		slave, err = os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = slave.Close() })
	return master, slave
}

// readAll reads on until nobody can write any more.
func readAll(t *testing.T, r *os.File) func() string {
	t.Helper()
	if err := r.SetReadDeadline(time.Now().Add(deadline)); err != nil {
		t.Fatal(err)
	}
	text := make(chan string, 1)
	go func() {
		all, _ := io.ReadAll(r) // a terminal ends with an error, EIO
		text <- strings.ReplaceAll(string(all), "\r\n", "\n")
	}()
	return func() string { return <-text }
}
