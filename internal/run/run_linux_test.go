// SPDX-License-Identifier: MPL-2.0

package run

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func init() {
	helpers["leaderless"] = leaderless
	helpers["container"] = container
	if os.Getenv(helperEnv) == "leaderless" {
		runtime.LockOSThread() // keeps main on the first thread
	}
}

// eachWait runs a test for each way in which Wait can wait. The other way is made useless, so that a test shows which one it saw.
func eachWait(t *testing.T, test func(t *testing.T)) {
	open, interval := pidfdOpen, pollInterval
	t.Cleanup(func() { pidfdOpen, pollInterval = open, interval })

	t.Run("pidfd", func(t *testing.T) {
		if fd, err := open(os.Getpid(), 0); err != nil {
			t.Skip("no pidfd here:", err)
		} else if err := unix.Close(fd); err != nil {
			t.Fatal(err)
		}
		pidfdOpen, pollInterval = open, 10*deadline
		test(t)
	})
	for _, refused := range []unix.Errno{unix.ENOSYS, unix.EPERM} {
		t.Run("poll after "+unix.ErrnoName(refused), func(t *testing.T) {
			pidfdOpen = func(int, int) (int, error) { return -1, refused }
			pollInterval = 5 * time.Millisecond
			test(t)
		})
	}
}

func TestStoppedIsAliveZombieIsNot(t *testing.T) {
	eachWait(t, func(t *testing.T) {
		c := start(t, helper("idle"))
		c.expect("ready")
		r := c.run()
		ended := waiting(t, r)

		if err := unix.Kill(r.PID, unix.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		waitid(t, r.PID, unix.WSTOPPED)
		requireAlive(t, r, true)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if err := r.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Wait on a stopped run: %v, want DeadlineExceeded", err)
		}

		c.kill()
		waitid(t, r.PID, unix.WEXITED|unix.WNOWAIT)
		if err := unix.Kill(r.PID, 0); err != nil {
			t.Fatal("not a zombie:", err)
		}
		if err := ended(); err != nil {
			t.Error("Wait:", err)
		}
		requireAlive(t, r, false)
		requireErrEnded(t, r.Interrupt())
		_, err := Of(r.PID)
		requireErrEnded(t, err)

		c.reap()
		requireAlive(t, r, false)
	})
}

// leaderless ends its first thread and works on in another.
func leaderless() error {
	go func() {
		if err := untilInputEnds(); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}()
	_, _, errno := unix.Syscall(unix.SYS_EXIT, 0, 0, 0)
	return errno
}

func TestOtherThreadsOutliveTheFirst(t *testing.T) {
	eachWait(t, func(t *testing.T) {
		c := start(t, helper("leaderless"))
		r := c.run()
		untilState(t, r.PID, "Z")
		requireAlive(t, r, true)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if err := r.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Wait: %v, want DeadlineExceeded", err)
		}

		ended := waiting(t, r)
		_ = c.in.Close()
		if err := ended(); err != nil {
			t.Error("Wait:", err)
		}
		requireAlive(t, r, false)
	})
}

func TestStartIsTheKernelsOwn(t *testing.T) {
	self, err := Self()
	if err != nil {
		t.Fatal(err)
	}
	const starttime = 22 // counted from 1, the first after the name being 3
	if got := stat(t, self.PID)[starttime-3]; got != strconv.FormatUint(self.Start, 10) {
		t.Errorf("Start = %d, the kernel says %s", self.Start, got)
	}
}

func TestParentGoneToSubReaper(t *testing.T) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0); err != nil {
			t.Error(err)
		}
		// The orphan is our child now; it has ended, since its input has.
		if _, err := unix.Wait4(-1, nil, 0, nil); err != nil {
			t.Error("reaping the orphan:", err)
		}
	})
	testParentGone(t)
}

// container is pid 1 of a new pid namespace, at first with the /proc of the one outside.
func container() error {
	_, err := Self()
	fmt.Println("foreign /proc refused:", err != nil)
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return err
	}
	self, err := Self()
	if err != nil {
		return err
	}
	fmt.Println(self.PID, self.ID)
	provider := helper("parent")
	provider.Stdout = os.Stdout
	return provider.Run()
}

func TestTerraformAsPid1(t *testing.T) {
	isolated := func(name string) *exec.Cmd {
		cmd := helper(name)
		cmd.SysProcAttr = &unix.SysProcAttr{Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS}
		return cmd
	}
	if err := isolated("idle").Run(); errors.Is(err, unix.EPERM) {
		t.Skip("needs the right to make a pid namespace:", err)
	}
	c := start(t, isolated("container"))
	c.expect("foreign /proc refused: true")
	self := c.line()
	if id, ok := strings.CutPrefix(self, "1 "); !ok || c.line() != id {
		t.Errorf("pid 1 calls itself %q, which its child does not", self)
	}
}

// waitid returns when the child has come to this state.
func waitid(t *testing.T, pid, options int) {
	t.Helper()
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, options, nil)
		if err == nil {
			return
		}
		if !errors.Is(err, unix.EINTR) {
			t.Fatal("waitid:", err)
		}
	}
}

// stat returns the fields of /proc/<pid>/stat that follow the name.
func stat(t *testing.T, pid int) []string {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
}

// untilState returns when the process is shown in this state.
func untilState(t *testing.T, pid int, state string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for stat(t, pid)[0] != state {
		select {
		case <-ctx.Done():
			t.Fatalf("process %d did not come to state %s", pid, state)
		case <-tick.C:
		}
	}
}
