// SPDX-License-Identifier: MPL-2.0

//go:build unix && !linux

package holder

import (
	"errors"
	"os"
)

// Executable is the path of this very program.
func Executable() (string, error) { return os.Executable() }

const openDescriptors = "/dev/fd"

func closeAllOnExec() error { return errors.ErrUnsupported }
