// SPDX-License-Identifier: MPL-2.0

//go:build unix

package run

import (
	"slices"

	"github.com/shirou/gopsutil/v4/process"
	"golang.org/x/sys/unix"
)

// InterruptTree interrupts the process of this run, and then the processes below it in
// its process group, as a terminal's Ctrl-C does: a shell does not pass an interrupt on
// to the commands that it waits for. It does not interrupt the processes in spared, which
// were interrupted before, nor the processes below them. The error is that of the first
// process.
func (r Run) InterruptTree(spared ...Run) error {
	before := r.below(spared) // If the process ends at once, they cannot be found afterwards.
	var err error
	if !slices.ContainsFunc(spared, r.is) {
		err = r.Interrupt()
	}
	// Processes that it was about to start are there by now.
	seen := make(map[int]bool)
	for _, p := range append(before, r.below(spared)...) {
		if !seen[p.PID] {
			seen[p.PID] = true
			_ = p.Interrupt() // It may have ended.
		}
	}
	return err
}

func (r Run) is(other Run) bool { return r.PID == other.PID && r.Start == other.Start }

// below are the processes below this run's in its process group, the nearest first.
func (r Run) below(spared []Run) []Run {
	group, err := unix.Getpgid(r.PID)
	if err != nil {
		return nil
	}
	pids, err := process.Pids()
	if err != nil {
		return nil
	}
	children := make(map[int][]Run)
	for _, pid := range pids {
		p := Run{PID: int(pid)}
		if of, err := unix.Getpgid(p.PID); err != nil || of != group {
			continue
		}
		parent, err := parentOf(p.PID)
		if err != nil {
			continue
		}
		if p.Start, err = started(p.PID); err == nil {
			children[parent] = append(children[parent], p)
		}
	}
	var all []Run
	for next := []Run{r}; len(next) > 0; next = next[1:] {
		for _, p := range children[next[0].PID] {
			if !slices.ContainsFunc(spared, p.is) {
				all, next = append(all, p), append(next, p)
			}
		}
	}
	return all
}

// Members are the living processes in the process group of this process that have the
// run in their environment ([EnvRun]). Processes that a command has started and left
// behind are among them. It finds none if the system does not show the environment.
func (r Run) Members() []Run {
	pids, err := process.Pids()
	if err != nil {
		return nil
	}
	group, variable := unix.Getpgrp(), EnvRun+"="+r.Token()
	var all []Run
	for _, pid := range pids {
		p := Run{PID: int(pid)}
		if of, err := unix.Getpgid(p.PID); err != nil || of != group || p.PID == unix.Getpid() {
			continue
		}
		env, err := environment(p.PID)
		if err != nil || !slices.Contains(env, variable) {
			continue
		}
		if p.Start, err = started(p.PID); err == nil {
			all = append(all, p)
		}
	}
	return all
}
