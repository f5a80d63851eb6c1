package run

import (
	"fmt"
	"io"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// stderrFD is standard error's descriptor.
const stderrFD = 2

// Stderr opens the run's own standard error for writing. Where another process
// may not have that, it is the controlling terminal. A write can block for as
// long as nobody reads the other end.
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
			return os.NewFile(uintptr(fd), "stderr"), nil
		}
	}
	f, err := os.OpenFile("/proc/"+strconv.Itoa(r.PID)+"/fd/"+strconv.Itoa(stderrFD), os.O_WRONLY|os.O_APPEND, 0)
	if err == nil {
		return f, nil
	}
	f, ttyErr := os.OpenFile("/dev/tty", os.O_WRONLY, 0)
	if ttyErr != nil {
		return nil, fmt.Errorf("run: standard error of process %d: %w (%w)", r.PID, err, ttyErr)
	}
	return f, nil
}
