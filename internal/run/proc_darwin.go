// SPDX-License-Identifier: MPL-2.0

package run

import (
	"errors"
	"strings"

	"golang.org/x/sys/unix"
)

// started returns the start time of a live process in microseconds since 1970, as kept by the kernel since the process began. The
// error is ErrEnded if there is no such process or only its zombie.
func started(pid int) (uint64, error) {
	info, err := status(pid)
	if err != nil {
		return 0, err
	}
	start := info.Proc.P_starttime
	return uint64(start.Sec)*1_000_000 + uint64(start.Usec), nil //nolint:gosec // a time after 1970
}

// parentOf returns the pid of a live process's present parent, with the errors of started.
func parentOf(pid int) (int, error) {
	info, err := status(pid)
	if err != nil {
		return 0, err
	}
	return int(info.Eproc.Ppid), nil
}

// environment returns the arguments and variables of a process, as they were when it started.
func environment(pid int) ([]string, error) {
	raw, err := unix.SysctlRaw("kern.procargs2", pid)
	if err != nil {
		return nil, err
	}
	return strings.Split(string(raw), "\x00"), nil
}

// terminalDevice returns the device of a process's controlling terminal.
func terminalDevice(pid int) (device uint64, err error) {
	info, err := status(pid)
	if err != nil {
		return 0, err
	}
	return uint64(uint32(info.Eproc.Tdev)), nil //nolint:gosec // a device number has 32 bits
}

// status asks the kernel itself because gopsutil runs ps to learn of a zombie, which is too much for a poll.
func status(pid int) (*unix.KinfoProc, error) {
	if pid <= 0 {
		return nil, ErrEnded
	}
	const zombie = 5 // SZOMB in sys/proc.h
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	switch {
	case err != nil && errors.Is(unix.Kill(pid, 0), unix.ESRCH):
		return nil, ErrEnded
	case err != nil:
		return nil, err
	case info.Proc.P_stat == zombie:
		return nil, ErrEnded
	}
	return info, nil
}
