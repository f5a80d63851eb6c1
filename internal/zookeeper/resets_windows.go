// SPDX-License-Identifier: MPL-2.0

package zookeeper

import "syscall"

// resets are what a connection fails by that the other side has closed. On Windows
// syscall.ECONNRESET is a number that no system call returns.
var resets = []error{syscall.WSAECONNRESET, syscall.WSAECONNABORTED}
