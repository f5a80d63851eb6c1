// SPDX-License-Identifier: MPL-2.0

//go:build darwin || freebsd

package holder

import (
	"net"

	"golang.org/x/sys/unix"
)

// solLocal is SOL_LOCAL.
const solLocal = 0

// peerOf is the id of the user whose process is at the other end.
func peerOf(conn net.Conn) (uid int, err error) {
	err = control(conn.(*net.UnixConn), func(fd int) error {
		found, err := unix.GetsockoptXucred(fd, solLocal, unix.LOCAL_PEERCRED)
		if err == nil {
			uid = int(found.Uid)
		}
		return err
	})
	return uid, err
}

// pidOf is 0: these systems do not tell the process.
func pidOf(net.Conn) int { return 0 }
