// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"errors"
	"time"

	"github.com/shirou/gopsutil/v4/process"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

var errNoProcess = errors.New("there is no such process")

// awaitReleased waits until the locks of the last run are released, so that this is
// not paid for by the next: until none of the provider's processes is left.
func (b *bench) awaitReleased(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return zktest.AwaitNoneRunning(ctx, b.dir)
}

// below returns the first process for which is is true, among one and its descendants.
func below(pid int, is func(*process.Process) bool) (*process.Process, error) {
	all, err := process.Processes()
	if err != nil {
		return nil, err
	}
	parents := map[int32]int32{}
	for _, p := range all {
		parents[p.Pid], _ = p.Ppid()
	}
	for _, p := range all {
		for at := p.Pid; at > 1; at = parents[at] {
			if int(at) == pid && is(p) {
				return p, nil
			}
		}
	}
	return nil, errNoProcess
}

// alive says whether a process runs. One that ended and that nobody has waited for
// does not.
func alive(pid int32) bool {
	p, err := process.NewProcess(pid)
	if err != nil {
		return false
	}
	status, err := p.Status()
	return err == nil && len(status) > 0 && status[0] != process.Zombie
}

// peaks are the most bytes that a plugin and a holder had.
type peaks struct{ plugin, holder uint64 }

// watch looks at the processes until stop is called.
func (b *bench) watch(p *peaks) (stop func()) {
	stopped, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			processes, _ := zktest.Running(b.dir)
			for _, one := range processes {
				memory, err := one.MemoryInfo()
				if err != nil {
					continue
				}
				most := &p.plugin
				if line, _ := one.CmdlineSlice(); isHolder(line) {
					most = &p.holder
				}
				*most = max(*most, memory.RSS, memory.HWM)
			}
			select {
			case <-stopped:
				return
			case <-time.After(25 * time.Millisecond):
			}
		}
	}()
	return func() {
		close(stopped)
		<-done
	}
}
