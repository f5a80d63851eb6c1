//go:build !linux

package run

import (
	"fmt"
	"io"
	"os"
	"runtime"
)

// Stderr opens the controlling terminal, as this system does not give out
// another process's standard error. The error is ErrUnsupported on Windows.
func (r Run) Stderr() (io.WriteCloser, error) {
	if runtime.GOOS == "windows" {
		return nil, fmt.Errorf("run: standard error of process %d: %w", r.PID, ErrUnsupported)
	}
	f, err := os.OpenFile("/dev/tty", os.O_WRONLY, 0)
	if err != nil {
		return nil, fmt.Errorf("run: standard error of process %d: %w", r.PID, err)
	}
	return f, nil
}
