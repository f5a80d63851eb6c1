// SPDX-License-Identifier: MPL-2.0

//go:build !windows

package zookeeper

import "syscall"

// resets are what a connection fails by that the other side has closed.
var resets = []error{syscall.ECONNRESET, syscall.ECONNABORTED, syscall.EPIPE}
