// SPDX-License-Identifier: MPL-2.0

//go:build !linux

package run

import (
	"fmt"
	"io"
)

// Stderr is ErrUnsupported: this system does not give out another process's standard error.
func (r Run) Stderr() (io.WriteCloser, error) {
	return nil, fmt.Errorf("run: standard error of process %d: %w", r.PID, ErrUnsupported)
}
