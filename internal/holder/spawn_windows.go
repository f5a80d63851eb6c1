// SPDX-License-Identifier: MPL-2.0

package holder

import (
	"net"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/windows"
)

// detached keeps Ctrl-C and the closing of the console from the holder.
func detached() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP | windows.DETACHED_PROCESS}
}

// keepDescriptors has nothing to do: Go passes on only the handles it is told to.
func keepDescriptors() {}

// passSocket has nothing to pass: see takeOver.
func passSocket(*exec.Cmd, net.Listener) (done func(), err error) { return func() {}, nil }

// takeOver listens at the address, which ends with the process that listened there.
func takeOver(address string) (listener net.Listener, end func(), err error) { return listen(address) }

func rootDir() string { return os.Getenv("SystemDrive") + `\` }

// Executable is the path of this very program.
func Executable() (string, error) { return os.Executable() }

// openLogFlags has nothing to add.
const openLogFlags = 0

// ownedByUs is true: a file that this user can append to will do.
func ownedByUs(os.FileInfo) bool { return true }

// linked is false: see ownedByUs.
func linked(os.FileInfo) bool { return false }
