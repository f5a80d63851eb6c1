//go:build unix

package holder

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// descriptors is where keepDescriptors stops looking. Shells and CI systems that
// leave a descriptor open use low numbers.
const descriptors = 1024

// detached puts the holder into a session of its own: a terminal's Ctrl-C and
// hang-up go to the foreground process group of the old one.
func detached() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// keepDescriptors keeps what Terraform inherited and passed on, such as a pipe
// of the shell that started it, from reaching the holder: the pipe's reader
// would wait for the holder to end.
func keepDescriptors() {
	for fd := 3; fd < descriptors; fd++ {
		unix.CloseOnExec(fd)
	}
}

// standardPipe is standard input and output, without a thread that waits in the kernel
// to read: Go's poller wakes the reader sooner, and where there is one processor, the
// thread would first have to get that back.
func standardPipe() stdio {
	file := func(f *os.File) *os.File {
		if err := syscall.SetNonblock(int(f.Fd()), true); err != nil {
			return f
		}
		return os.NewFile(f.Fd(), f.Name())
	}
	return stdio{file(os.Stdin), file(os.Stdout)}
}

func rootDir() string { return "/" }
