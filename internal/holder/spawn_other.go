//go:build unix && !linux

package holder

import "os"

// Executable is the path of this very program.
func Executable() (string, error) { return os.Executable() }
