// SPDX-License-Identifier: MPL-2.0

//go:build unix

package early

import "golang.org/x/sys/unix"

// noCore keeps this process, and those that it starts, from leaving a core.
func noCore() { _ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}) }
