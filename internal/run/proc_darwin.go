package run

import (
	"errors"

	"golang.org/x/sys/unix"
)

// started returns the start time of a live process in microseconds since 1970, as kept by the kernel since the process began. The
// error is ErrEnded if there is no such process or only its zombie.
//
// It asks the kernel itself because gopsutil runs ps to learn of a zombie, which is too much for a poll.
func started(pid int) (uint64, error) {
	if pid <= 0 {
		return 0, ErrEnded
	}
	const zombie = 5 // SZOMB in sys/proc.h
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	switch {
	case err != nil && errors.Is(unix.Kill(pid, 0), unix.ESRCH):
		return 0, ErrEnded
	case err != nil:
		return 0, err
	case info.Proc.P_stat == zombie:
		return 0, ErrEnded
	}
	start := info.Proc.P_starttime
	return uint64(start.Sec)*1_000_000 + uint64(start.Usec), nil //nolint:gosec // a time after 1970
}
