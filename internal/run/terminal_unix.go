// SPDX-License-Identifier: MPL-2.0

//go:build linux || darwin

package run

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Terminal opens the run's controlling terminal for writing. /dev/tty would be that of this process, which may have none. A write
// fails with [os.ErrDeadlineExceeded] if the terminal takes nothing for [WriteTime].
func (r Run) Terminal() (io.WriteCloser, error) {
	device, err := terminalDevice(r.PID)
	if err == nil {
		err = r.check()
	}
	if err != nil {
		return nil, err
	}
	for _, dir := range []string{"/dev/pts", "/dev"} {
		entries, _ := os.ReadDir(dir) // a system may have one of them only
		for _, entry := range entries {
			if entry.Type()&os.ModeCharDevice == 0 {
				continue
			}
			info, err := entry.Info()
			if err != nil {
				continue
			}
			if stat, ok := info.Sys().(*syscall.Stat_t); !ok || device == 0 || uint64(stat.Rdev) != device { //nolint:unconvert // not everywhere
				continue
			}
			f, err := os.OpenFile(filepath.Join(dir, entry.Name()), os.O_WRONLY|unix.O_NOCTTY|unix.O_NONBLOCK, 0) //nolint:gosec // a device
			if err != nil {
				return nil, fmt.Errorf("run: terminal of process %d: %w", r.PID, err)
			}
			_ = f.SetWriteDeadline(time.Now().Add(WriteTime)) // where it is for files
			return f, nil
		}
	}
	return nil, fmt.Errorf("run: process %d: %w", r.PID, errNoTerminal)
}

var errNoTerminal = errors.New("it has no terminal")
