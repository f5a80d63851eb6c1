// SPDX-License-Identifier: MPL-2.0

package run

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// stderrFD is standard error's descriptor.
const stderrFD = 2

// Stderr opens the run's own standard error for writing. A write fails with [os.ErrDeadlineExceeded] if nobody reads the other end
// for [WriteTime].
func (r Run) Stderr() (io.WriteCloser, error) {
	pidfd, err := pidfdOpen(r.PID, 0)
	if err == nil {
		defer func() { _ = unix.Close(pidfd) }()
	}
	// Checked with the pidfd open, which stays with this process.
	if err := r.check(); err != nil {
		return nil, err
	}
	if err == nil {
		if fd, err := unix.PidfdGetfd(pidfd, stderrFD, 0); err == nil {
			return patient(fd), nil
		}
	}
	fd, err := unix.Open("/proc/"+strconv.Itoa(r.PID)+"/fd/"+strconv.Itoa(stderrFD),
		unix.O_WRONLY|unix.O_APPEND|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("run: standard error of process %d: %w", r.PID, err)
	}
	return patient(fd), nil
}

// patient is a descriptor that may be shared with another process, and that is written to only when it can take something.
type patient int

// Write implements [io.Writer].
func (p patient) Write(b []byte) (written int, err error) {
	fds := []unix.PollFd{{Fd: int32(p), Events: unix.POLLOUT}} //nolint:gosec // a descriptor is an int32
	// Not by a deadline of a file's: that needs O_NONBLOCK, which the other process would have, too.
	for end := time.Now().Add(WriteTime); written < len(b); {
		n, err := unix.Poll(fds, max(0, int(time.Until(end).Milliseconds())))
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return written, err
		case n == 0:
			return written, os.ErrDeadlineExceeded
		}
		n, err = unix.Write(int(p), b[written:])
		if err != nil && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
			return written, err
		}
		written += max(0, n)
	}
	return written, nil
}

// Close implements [io.Closer].
func (p patient) Close() error { return unix.Close(int(p)) }

// terminalDevice returns the device of a process's controlling terminal.
func terminalDevice(pid int) (device uint64, err error) {
	stat, err := status(pid)
	if err != nil {
		return 0, err
	}
	// The kernel's way to put a device into 32 bits.
	n := uint32(stat.tty) //nolint:gosec // the bits are meant
	return unix.Mkdev(n>>8&0xfff, n&0xff|n>>12&0xfff00), nil
}
