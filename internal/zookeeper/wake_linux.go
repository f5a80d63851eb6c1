// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// wakeAt calls f at an instant, also when that passes while the machine sleeps: then
// as soon as it wakes. stop keeps f from being called unless that has begun.
func wakeAt(at Instant, f func()) (stop func()) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_BOOTTIME, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return wakeAfter(at, f)
	}
	// A time of zero would disarm the timer; one in the past fires at once.
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(max(1, int64(at)))}
	if err := unix.TimerfdSettime(fd, unix.TFD_TIMER_ABSTIME, &spec, nil); err != nil {
		_ = unix.Close(fd)
		return wakeAfter(at, f)
	}
	timer := os.NewFile(uintptr(fd), "timer")
	go func() {
		defer func() { _ = timer.Close() }()
		if _, err := timer.Read(make([]byte, 8)); err == nil {
			f()
		}
	}()
	return func() { _ = timer.SetReadDeadline(time.Unix(1, 0)) }
}
