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

// WriteTime is how long a write to a run's standard error or terminal waits for someone to read there.
const WriteTime = time.Second

// pollInterval is how often Wait looks where the system cannot tell it. A variable for tests.
var pollInterval = 500 * time.Millisecond

// bornTo is taken as early as possible: a process that is orphaned later has another parent then, while pid 1 or a sub-reaper
// seen from the start may well be the real one, as in a container whose pid 1 is Terraform.
var bornTo = os.Getppid()

// Run identifies one run: a process that starts, works and ends. It is plain data and can be sent to other processes of the same
// machine and pid namespace; the methods mean nothing elsewhere.
type Run struct {
	// ID is 16 lower-case hex digits: the same in every process of this pid namespace that asks about this run, and different
	// for every other run, also of other boots, machines and containers.
	ID string
	// PID is the process id.
	PID int
	// Start is opaque. It tells the process from all others that ever had this PID since boot, and does not change while the
	// process lives, not even when the clock is set, except on FreeBSD.
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

// Parent returns the run that started this process. The error is ErrEnded if the parent has ended: this process has been handed
// over to another one then, and that one is never returned. A parent that ended before this package was initialized cannot be
// told from its heir; call it on a request of the parent, which proves that it was alive later than that.
func Parent() (Run, error) {
	r, err := Of(bornTo)
	switch {
	case bornTo <= 0:
		return Run{}, errors.New("run: the parent of this process is outside its pid namespace")
	case os.Getppid() != bornTo:
		// Asked after Of: as long as we are its child, the pid Of looked at cannot have gone to another process.
		return Run{}, fmt.Errorf("run: parent process %d: %w", bornTo, ErrEnded)
	case err != nil:
		return Run{}, err
	case runtime.GOOS != "windows":
		return r, nil
	}

	// Windows keeps a dead parent's pid as ours and gives it to others; those start later than we did.
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

// Terraform returns the run that this process, a plugin, works for. That is its parent, unless the parent is a wrapper, such as a
// shell script or strace, that was started in place of the plugin: then it is the first process above that is not. The errors are
// those of [Parent].
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

// isWrapper tells whether a process was started as the plugin that this process is. It is false where its environment cannot be
// read, as that of a process of another user.
func isWrapper(pid int) bool {
	env, err := environment(pid)
	if err != nil {
		return false
	}
	for _, name := range []string{pluginCookie, pluginCertificate} {
		// Not only the cookie: what a plugin starts can be a Terraform of its own, which has the plugin's cookie as well.
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
// On Linux the kernel wakes it; elsewhere, and where that is refused, it notices the end within half a second. What cannot be
// read for a while does not end the wait.
func (r Run) Wait(ctx context.Context) error {
	return r.wait(ctx)
}

// CanInterrupt tells whether Interrupt is of any use on this system.
func CanInterrupt() bool { return runtime.GOOS != "windows" }

// Interrupt sends SIGINT to the process of this run, once, and to no other. The error is ErrEnded if the run has ended, and
// ErrUnsupported on Windows, which has no such signal.
func (r Run) Interrupt() error {
	if !CanInterrupt() {
		return fmt.Errorf("run: interrupt process %d: %w", r.PID, ErrUnsupported)
	}
	// On Linux this opens a pidfd, hence before the check: the signal then reaches the process that was checked, or nobody.
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

// check returns nil if the run is alive, ErrEnded if it has ended, and another error if that cannot be told.
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

// until looks now and then whether done, and returns ctx's error if ctx ends before.
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
