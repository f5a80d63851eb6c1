// SPDX-License-Identifier: MPL-2.0

package holder

import (
	"net"

	"golang.org/x/sys/unix"
)

func credentials(conn net.Conn) (found unix.Ucred, err error) {
	err = control(conn.(*net.UnixConn), func(fd int) error {
		c, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
		if err == nil {
			found = *c
		}
		return err
	})
	return found, err
}

// peerOf is the id of the user whose process is at the other end.
func peerOf(conn net.Conn) (uid int, err error) {
	found, err := credentials(conn)
	return int(found.Uid), err
}

// pidOf is that process, 0 if that is not known.
func pidOf(conn net.Conn) int {
	found, _ := credentials(conn)
	return int(found.Pid)
}
