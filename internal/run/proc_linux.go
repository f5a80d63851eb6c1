// SPDX-License-Identifier: MPL-2.0

package run

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// pidfdOpen is a variable so that tests can refuse it, as old kernels and seccomp filters do.
var pidfdOpen = unix.PidfdOpen

// started returns the start time of a live process in clock ticks since boot, as the kernel keeps it: unlike a time of day, it
// never changes when the clock is set. The error is ErrEnded if there is no such process or only its zombie.
func started(pid int) (uint64, error) {
	s, err := status(pid)
	return s.start, err
}

// parentOf returns the pid of a live process's present parent, with the errors of started.
func parentOf(pid int) (int, error) {
	s, err := status(pid)
	return s.parent, err
}

// environment returns the variables of a process as they were when it started.
func environment(pid int) ([]string, error) {
	text, err := os.ReadFile(procFile(pid, "environ"))
	if err != nil {
		return nil, err
	}
	return strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00"), nil
}

func status(pid int) (procStat, error) {
	if pid <= 0 {
		return procStat{}, ErrEnded
	}
	s, err := readStat(pid)
	switch {
	case (errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH)) && errors.Is(unix.Kill(pid, 0), unix.ESRCH):
		// Asked twice, since a /proc mounted with hidepid leaves out processes that live.
		return procStat{}, ErrEnded
	case err != nil:
		return procStat{}, err
	case (s.state == 'Z' || s.state == 'X') && s.threads <= 1:
		// A process whose first thread has ended is shown as a zombie while its other threads go on working.
		return procStat{}, ErrEnded
	}
	return s, nil
}

// scope tells machines, boots and pid namespaces apart, within which a pid and a start time mean one process: containers on one
// host can share its name, and start at the same tick with the same pid.
func scope() (string, error) {
	// Behind another namespace's /proc, our pids would name strangers.
	self, err := os.Readlink("/proc/self")
	if err != nil {
		return "", err
	}
	if self != strconv.Itoa(os.Getpid()) {
		return "", errors.New("/proc belongs to another pid namespace")
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil && !unavailable(err) {
		return "", err
	}
	namespace, err := os.Readlink("/proc/self/ns/pid")
	if err != nil && !unavailable(err) {
		return "", err
	}
	return string(boot) + namespace, nil
}

// unavailable is true for what is missing for every process here. Any other failure may pass, and would give one run two names.
func unavailable(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission)
}

// wait sleeps on a pidfd where it gets one. Whatever wakes it, the verdict is poll's: it looks at once, and goes on looking if
// there was no pidfd to sleep on.
func (r Run) wait(ctx context.Context) error {
	if fd, err := pidfdOpen(r.PID, 0); err == nil {
		r.sleep(ctx, fd)
	}
	return r.poll(ctx)
}

// sleep returns when the last thread of the process has ended, reaped or not, when ctx is done, or when it cannot sleep on the
// pidfd. It closes the pidfd.
func (r Run) sleep(ctx context.Context, pidfd int) {
	// Only a non-blocking file is given to the runtime's poller, which needs no thread to wait and can be interrupted.
	_ = unix.SetNonblock(pidfd, true)
	file := os.NewFile(uintptr(pidfd), "pidfd")
	defer func() { _ = file.Close() }()

	// Looked at after opening: if the run has its pid still, it had it when the pidfd was opened.
	if alive, err := r.Alive(); err != nil || !alive {
		return
	}
	stop := context.AfterFunc(ctx, func() { _ = file.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	if conn, err := file.SyscallConn(); err == nil {
		_ = conn.Read(readable)
	}
}

// readable reports whether fd can be read now, without waiting.
func readable(fd uintptr) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}} //nolint:gosec // a descriptor is an int32
	for {
		n, err := unix.Poll(fds, 0)
		if !errors.Is(err, unix.EINTR) {
			return err == nil && n == 1 && fds[0].Revents&unix.POLLIN != 0
		}
	}
}
