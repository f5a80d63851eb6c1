// SPDX-License-Identifier: MPL-2.0

//go:build !linux && !darwin

package run

import (
	"errors"
	"math"
	"runtime"
	"slices"

	"github.com/shirou/gopsutil/v4/process"
)

// started returns the start time of a live process in milliseconds since 1970. On FreeBSD that time moves with a clock that is
// set. The error is ErrEnded if there is no such process or only its zombie.
func started(pid int) (uint64, error) {
	p, err := existing(pid)
	if err != nil {
		return 0, err
	}
	start, err := p.CreateTime()
	if err != nil {
		return 0, err
	}
	// Windows has no zombies, and gopsutil no status there.
	if runtime.GOOS != "windows" {
		status, err := p.Status()
		if err != nil {
			return 0, err
		}
		if slices.Contains(status, process.Zombie) {
			return 0, ErrEnded
		}
	}
	return uint64(start), nil //nolint:gosec // a time after 1970
}

// parentOf returns the pid of a live process's parent, on Windows also after that has ended. It has the errors of started.
func parentOf(pid int) (int, error) {
	p, err := existing(pid)
	if err != nil {
		return 0, err
	}
	parent, err := p.Ppid()
	return int(parent), err
}

// environment returns the variables of a process as they were when it started, where the system tells.
func environment(pid int) ([]string, error) {
	p, err := existing(pid)
	if err != nil {
		return nil, err
	}
	return p.Environ()
}

// existing finds a process, which may be a zombie. The error is ErrEnded if there is none.
func existing(pid int) (*process.Process, error) {
	if pid <= 0 || pid > math.MaxInt32 {
		return nil, ErrEnded
	}
	p, err := process.NewProcess(int32(pid))
	if errors.Is(err, process.ErrorProcessNotRunning) {
		return nil, ErrEnded
	}
	return p, err
}
