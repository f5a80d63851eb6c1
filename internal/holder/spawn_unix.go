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

// keepDescriptors keeps what Terraform inherited and passed on, such as a pipe
// of the shell that started it, from reaching the holder: the pipe's reader
// would wait for the holder to end.
func keepDescriptors() {
	if closeAllOnExec() != nil {
		closeEachOnExec()
	}
}

// closeEachOnExec does that for each descriptor that it finds.
func closeEachOnExec() {
	const first = 3
	for fd := first; fd < maxDescriptors; fd++ {
		unix.CloseOnExec(fd)
	}
	open, _ := os.ReadDir(openDescriptors) // which may name no more than the first few
	for _, entry := range open {
		if fd, err := strconv.Atoi(entry.Name()); err == nil && fd >= first {
			unix.CloseOnExec(fd)
		}
	}
}

// maxDescriptors is how many are looked at where the system does not tell which there are.
const maxDescriptors = 1 << 14

// socketFD is the sentinel's descriptor of the run's socket.
const socketFD = 3

// passSocket gives the process, which is to be started, the run's socket: while it
// lives, nobody else can listen there, also when this process is killed.
func passSocket(cmd *exec.Cmd, socket net.Listener) (done func(), err error) {
	// Its File method would have both processes, and so this one, wait in the kernel.
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

// takeOver listens at the socket that passSocket has passed.
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

// openLogFlags keep the opening of a log from waiting, and from following a link.
const openLogFlags = syscall.O_NONBLOCK | syscall.O_NOFOLLOW | syscall.O_NOCTTY

// ownedByUs tells whether a file belongs to this user.
func ownedByUs(info os.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid()
}

// linked tells whether a file has several names.
func linked(info os.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return !ok || stat.Nlink > 1
}

// noCore keeps this process, and those that it starts, from leaving a core.
func noCore() { _ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}) }
