// SPDX-License-Identifier: MPL-2.0

// Package run names a run, one Terraform or OpenTofu process from its start to its end, and tells when it has ended, so that a
// lock can be held for exactly as long as the run that took it.
//
// It knows processes only. It must not know ZooKeeper, locks, or Terraform's plugin protocol, and imports no other package of
// this module.
package run

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"
)

var (
	// ErrEnded says that the process is gone, is a zombie, or that its pid belongs to another process by now.
	ErrEnded = errors.New("the process has ended")

	// ErrUnsupported says that this system cannot do what was asked.
	ErrUnsupported = errors.New("not supported on " + runtime.GOOS)
)

// WriteTime is how long a write to a run's standard error or terminal waits for a reader.
const WriteTime = time.Second

// pollInterval is how often Wait looks if the system cannot tell it. A variable for tests.
var pollInterval = 500 * time.Millisecond

// bornTo is read as early as possible, because an orphan gets another parent. Pid 1 can be the real parent, as in a container
// whose pid 1 is Terraform.
var bornTo = os.Getppid()

// Run identifies one run: a process that starts, works and ends. It is plain data and can be sent to other processes of the same
// machine and pid namespace; the methods mean nothing elsewhere.
type Run struct {
	// ID is 16 lower-case hex digits: the same in every process of this pid namespace that asks about this run, and different
	// for every other run, also of other boots, machines and containers.
	ID string
	// PID is the process id.
	PID int
	// Start is opaque. No other process with this PID has the same since boot. It does not change while the process lives, not
	// even when the clock is set, except on FreeBSD.
	Start uint64
	// Host is the name of the machine.
	Host string
}

// Of returns the run whose process has this pid. The error names the pid; it is ErrEnded if no such process lives.
func Of(pid int) (Run, error) {
	start, err := started(pid)
	if err != nil {
		return Run{}, fmt.Errorf("run: process %d: %w", pid, err)
	}
	host, err := os.Hostname()
	if err != nil {
		return Run{}, fmt.Errorf("run: process %d: %w", pid, err)
	}
	where, err := scope()
	if err != nil {
		return Run{}, fmt.Errorf("run: process %d: %w", pid, err)
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%d\n%d", host, where, pid, start))
	return Run{ID: hex.EncodeToString(sum[:8]), PID: pid, Start: start, Host: host}, nil
}

// Self returns this process as the run, for a provider served inside a test or a debugger.
func Self() (Run, error) {
	return Of(os.Getpid())
}

// Parent returns the run that started this process. The error is ErrEnded if the parent has ended: the system has given this
// process another parent then, which Parent never returns. It cannot notice that if the parent ended before this package was
// initialized. So call it for a request of the parent, which proves that the parent was alive later than that.
func Parent() (Run, error) {
	r, err := Of(bornTo)
	switch {
	case bornTo <= 0:
		return Run{}, errors.New("run: the parent of this process is outside its pid namespace")
	case os.Getppid() != bornTo:
		// Asked after Of: while we are its child, no other process can have its pid.
		return Run{}, fmt.Errorf("run: parent process %d: %w", bornTo, ErrEnded)
	case err != nil:
		return Run{}, err
	case runtime.GOOS != "windows":
		return r, nil
	}

	// On Windows our parent's pid does not change when it ends, and another process can get it, which starts later than we did.
	self, err := Self()
	if err != nil {
		return Run{}, err
	}
	if r.Start > self.Start {
		return Run{}, fmt.Errorf("run: parent process %d: %w", bornTo, ErrEnded)
	}
	return r, nil
}

// Names of what Terraform and OpenTofu put into the environment of a plugin: the first is the same for all, the second another for
// each plugin process.
const (
	pluginCookie      = "TF_PLUGIN_MAGIC_COOKIE"
	pluginCertificate = "PLUGIN_CLIENT_CERT"
)

// maxWrappers is how many wrappers may stand between Terraform and its plugin.
const maxWrappers = 16

// Terraform returns the run that this process, a plugin, works for. That is its parent, unless the parent is a wrapper that was
// started instead of the plugin, such as a shell script or strace. Then it is the first process above the wrappers. The errors
// are those of [Parent].
func Terraform() (Run, error) {
	r, err := Parent()
	for range maxWrappers {
		if err != nil || !isWrapper(r.PID) {
			return r, err
		}
		wrapper := r
		above, err := parentOf(wrapper.PID)
		if err != nil {
			return Run{}, fmt.Errorf("run: the process above the wrapper %d: %w", wrapper.PID, err)
		}
		if r, err = Of(above); err != nil {
			return Run{}, fmt.Errorf("run: the process above the wrapper %d: %w", wrapper.PID, err)
		}
		if err := wrapper.check(); err != nil {
			// Its pid may have been another process's when its parent was asked for.
			return Run{}, err
		}
	}
	return Run{}, fmt.Errorf("run: process %d: more than %d wrappers", bornTo, maxWrappers)
}

// isWrapper returns whether a process was started as the plugin that this process is. It returns false if it cannot read the
// environment of the process, which can belong to another user.
func isWrapper(pid int) bool {
	env, err := environment(pid)
	if err != nil {
		return false
	}
	for _, name := range []string{pluginCookie, pluginCertificate} {
		// The cookie is not enough: a plugin can start another Terraform, which then has the plugin's cookie, too.
		value, ours := os.LookupEnv(name)
		if ours && !slices.Contains(env, name+"="+value) {
			return false
		}
	}
	return os.Getenv(pluginCookie) != ""
}

// WaitOrphaned returns nil once the parent of this process has ended, and ctx's error if that comes first. It needs nothing but
// the parent's pid. On Windows, where that never changes, it waits for ctx.
func WaitOrphaned(ctx context.Context) error {
	return until(ctx, func() bool { return os.Getppid() != bornTo })
}

func ignoreEnd(err error) error {
	if errors.Is(err, ErrEnded) {
		return nil
	}
	return err
}

// Alive reports whether the run has not ended. A stopped process is alive; a zombie is not. With an error, nothing is known: it
// must not be taken for an end.
func (r Run) Alive() (bool, error) {
	err := r.check()
	return err == nil, ignoreEnd(err)
}

// Wait returns nil once the run has ended, and ctx's error if that comes first. It returns at once if the run has ended already.
// On Linux the kernel wakes it. On other systems, or if the kernel refuses, it notices the end within half a second. An error
// does not end the wait.
func (r Run) Wait(ctx context.Context) error {
	return r.wait(ctx)
}

// CanInterrupt returns whether Interrupt works on this system.
func CanInterrupt() bool { return runtime.GOOS != "windows" }

// Interrupt sends SIGINT to the process of this run, once, and to no other. The error is ErrEnded if the run has ended, and
// ErrUnsupported on Windows, which has no such signal.
func (r Run) Interrupt() error {
	if !CanInterrupt() {
		return fmt.Errorf("run: interrupt process %d: %w", r.PID, ErrUnsupported)
	}
	// On Linux this opens a pidfd. It comes before the check, so that the signal reaches the checked process, or none.
	p, err := os.FindProcess(r.PID)
	if err != nil {
		return fmt.Errorf("run: interrupt process %d: %w", r.PID, err)
	}
	defer func() { _ = p.Release() }()
	if err := r.check(); err != nil {
		return err
	}
	err = p.Signal(os.Interrupt)
	if errors.Is(err, os.ErrProcessDone) {
		err = ErrEnded
	}
	if err != nil {
		return fmt.Errorf("run: interrupt process %d: %w", r.PID, err)
	}
	return nil
}

// check returns nil if the run is alive, ErrEnded if it has ended, and another error if that is unknown.
func (r Run) check() error {
	start, err := started(r.PID)
	if err == nil && start != r.Start {
		err = ErrEnded
	}
	if err != nil {
		return fmt.Errorf("run: process %d: %w", r.PID, err)
	}
	return nil
}

// poll is Wait without help from the system.
func (r Run) poll(ctx context.Context) error {
	return until(ctx, func() bool {
		alive, err := r.Alive()
		return err == nil && !alive
	})
}

// until calls done now and then until it returns true, and returns ctx's error if ctx ends first.
func until(ctx context.Context, done func() bool) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}
