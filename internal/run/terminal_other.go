// SPDX-License-Identifier: MPL-2.0

//go:build !linux && !darwin

package run

import (
	"fmt"
	"io"
)

// Terminal is ErrUnsupported: this system does not tell the terminal of a process.
func (r Run) Terminal() (io.WriteCloser, error) {
	return nil, fmt.Errorf("run: terminal of process %d: %w", r.PID, ErrUnsupported)
}
