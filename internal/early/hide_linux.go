// SPDX-License-Identifier: MPL-2.0

package early

import "golang.org/x/sys/unix"

// hideMemory keeps the memory of this process from core dumps, and from other processes
// of this user.
func hideMemory() {
	noCore()
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
}
