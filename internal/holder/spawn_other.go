//go:build unix && !linux

package holder

import (
	"errors"
	"os"
)

func executable() (string, error) { return os.Executable() }

const openDescriptors = "/dev/fd"

func closeAllOnExec() error { return errors.ErrUnsupported }

// hideMemory keeps credentials in this process's memory from core dumps.
func hideMemory() { noCore() }
