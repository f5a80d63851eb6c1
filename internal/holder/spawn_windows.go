package holder

import (
	"os"
	"syscall"

	"golang.org/x/sys/windows"
)

// detached keeps Ctrl-C and the closing of the console from the holder.
func detached() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP | windows.DETACHED_PROCESS}
}

// keepDescriptors has nothing to do: Go passes on only the handles it is told to.
func keepDescriptors() {}

// standardPipe is standard input and output.
func standardPipe() stdio { return stdio{os.Stdin, os.Stdout} }

func rootDir() string { return os.Getenv("SystemDrive") + `\` }

func executable() (string, error) { return os.Executable() }
