//go:build unix && !linux

package holder

import "os"

func executable() (string, error) { return os.Executable() }
