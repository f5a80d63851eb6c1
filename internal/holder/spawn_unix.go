//go:build unix

package holder

import (
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

func rootDir() string { return "/" }
