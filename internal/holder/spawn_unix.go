// SPDX-License-Identifier: MPL-2.0

//go:build unix

package holder

import (
	"net"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// detached puts the holder into a session of its own: a terminal's Ctrl-C and
// hang-up go to the foreground process group of the old one.
func detached() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// keepDescriptors keeps inherited descriptors from the holder process. One of them can be
// a pipe of the shell that has started Terraform: its reader would wait for the end of the
// holder process.
func keepDescriptors() {
	if closeAllOnExec() != nil {
		closeEachOnExec()
	}
}

// closeEachOnExec does so for each open descriptor.
func closeEachOnExec() {
	const first = 3
	for fd := first; fd < maxDescriptors; fd++ {
		unix.CloseOnExec(fd)
	}
	open, _ := os.ReadDir(openDescriptors)
	for _, entry := range open {
		if fd, err := strconv.Atoi(entry.Name()); err == nil && fd >= first {
			unix.CloseOnExec(fd)
		}
	}
}

// maxDescriptors is how many descriptors to try, because a system may list only the first.
const maxDescriptors = 1 << 14

// socketFD is the sentinel's descriptor of the run's socket.
const socketFD = 3

// passSocket gives the run's socket to a process that is to be started. While that process
// lives, no other can listen there, even if this one is killed.
func passSocket(cmd *exec.Cmd, socket net.Listener) (done func(), err error) {
	// Its File method would make the socket blocking, in both processes.
	fd := -1
	err = control(socket.(*net.UnixListener), func(own int) (err error) {
		fd, err = unix.FcntlInt(uintptr(own), unix.F_DUPFD_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), "socket")
	cmd.ExtraFiles = []*os.File{file}
	return func() { _ = file.Close() }, nil
}

// takeOver listens at the socket from passSocket.
func takeOver(string) (listener net.Listener, end func(), err error) {
	file := os.NewFile(socketFD, "socket")
	defer func() { _ = file.Close() }()
	listener, err = net.FileListener(file)
	if err != nil {
		return nil, nil, err
	}
	return listener, func() { hangUp(listener, listener.Addr().String()) }, nil
}

func rootDir() string { return "/" }

// openLogFlags open a log without waiting, and without following a link.
const openLogFlags = syscall.O_NONBLOCK | syscall.O_NOFOLLOW | syscall.O_NOCTTY

// ownedByUs returns whether a file belongs to this user.
func ownedByUs(info os.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid()
}

// linked returns whether a file has several names.
func linked(info os.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return !ok || stat.Nlink > 1
}
