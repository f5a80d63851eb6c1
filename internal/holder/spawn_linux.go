// SPDX-License-Identifier: MPL-2.0

package holder

import (
	"math"

	"golang.org/x/sys/unix"
)

// Executable is the path of this very program, also after its file was replaced.
func Executable() (string, error) { return "/proc/self/exe", nil }

const openDescriptors = "/proc/self/fd"

// closeAllOnExec keeps all descriptors but the first three from child processes. Kernels
// before 5.11 cannot do that.
func closeAllOnExec() error {
	return unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
}
