// SPDX-License-Identifier: MPL-2.0

package run

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
)

// procStat is what this package needs of /proc/<pid>/stat (proc_pid_stat(5)). Libraries read all of it, and fail on a 32-bit system
// where a process has an address space of 4 GiB or more, as those of Java and Node have.
type procStat struct {
	state   byte
	parent  int
	tty     int // device number of its terminal, 0 for none
	threads int
	start   uint64 // in clock ticks since boot
}

// Places of the fields behind the process's name, from 0.
const (
	fieldState   = 0
	fieldParent  = 1
	fieldTTY     = 4
	fieldThreads = 17
	fieldStart   = 19
)

var errStat = errors.New("not a process's status")

// parseStat reads a status. The name is in parentheses, and can have others in it, and spaces.
func parseStat(text []byte) (procStat, error) {
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) <= fieldStart || len(fields[fieldState]) != 1 {
		return procStat{}, fmt.Errorf("%w: %.100q", errStat, text)
	}
	s := procStat{state: fields[fieldState][0]}
	var errs [4]error
	s.parent, errs[0] = strconv.Atoi(string(fields[fieldParent]))
	s.threads, errs[1] = strconv.Atoi(string(fields[fieldThreads]))
	s.start, errs[2] = strconv.ParseUint(string(fields[fieldStart]), 10, 64)
	s.tty, errs[3] = strconv.Atoi(string(fields[fieldTTY]))
	if err := errors.Join(errs[:]...); err != nil {
		return procStat{}, fmt.Errorf("%w: %w", errStat, err)
	}
	return s, nil
}

func readStat(pid int) (procStat, error) {
	text, err := os.ReadFile(procFile(pid, "stat"))
	if err != nil {
		return procStat{}, err
	}
	return parseStat(text)
}

func procFile(pid int, name string) string { return "/proc/" + strconv.Itoa(pid) + "/" + name }
