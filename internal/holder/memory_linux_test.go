// SPDX-License-Identifier: MPL-2.0

package holder

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Credentials are in the memory of a process that holds locks. It leaves no core, and no
// other process of the user can look into it, unless it is started for a debugger.
func TestMemoryIsHidden(t *testing.T) {
	for _, command := range []string{Command, SentinelCommand} {
		for debug, hidden := range map[string]bool{"": true, "false": true, "true": false} {
			t.Run(fmt.Sprintf("%s with %q", command, debug), func(t *testing.T) {
				pid, end := startAsUser(t, command, EnvDebug+"="+debug)
				defer end()
				var stat unix.Stat_t
				core := []string{}
				eventually(t, "the process's own start", func() bool {
					// What can be looked into belongs to the process's user.
					if err := unix.Stat(fmt.Sprintf("/proc/%d/environ", pid), &stat); err != nil {
						t.Fatal(err)
					}
					limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
					if err != nil {
						t.Fatal(err)
					}
					for line := range strings.Lines(string(limits)) {
						if rest, ok := strings.CutPrefix(line, "Max core file size"); ok {
							core = strings.Fields(rest)
						}
					}
					return (stat.Uid == 0) == hidden && (core[0] == "0" && core[1] == "0") == hidden
				})
			})
		}
	}
}

// startAsUser starts this binary as a process of a user who is not root, and waits until
// it ignores signals, as it does after it has hidden its memory. It then waits for orders.
func startAsUser(t *testing.T, command, env string) (pid int, end func()) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", command)
	cmd.Env, cmd.Dir = append(environment(os.Environ()), env), "/"
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	silence, ours, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = silence // which the sentinel reads
	var core unix.Rlimit
	err = unix.Getrlimit(unix.RLIMIT_CORE, &core)
	if err == nil && core.Cur == 0 && core.Max > 0 {
		core.Cur = core.Max // so that there is something to limit
		err = unix.Setrlimit(unix.RLIMIT_CORE, &core)
	}
	if err == nil {
		err = cmd.Start()
	}
	_ = silence.Close()
	if err != nil {
		t.Fatal(err)
	}
	pid = cmd.Process.Pid
	eventually(t, "a process that ignores signals", func() bool {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			t.Fatal(err)
		}
		_, ignored, _ := bytes.Cut(status, []byte("SigIgn:\t"))
		var mask uint64
		_, err = fmt.Sscanf(string(ignored), "%x", &mask)
		return err == nil && mask&(1<<(unix.SIGTERM-1)) != 0
	})
	return pid, func() {
		_ = in.Close()
		_ = ours.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}

// Where the kernel cannot close all descriptors at once, they are looked for.
func TestDescriptorsAreLookedFor(t *testing.T) {
	pipe := make([]int, 2)
	if err := syscall.Pipe(pipe); err != nil {
		t.Fatal(err)
	}
	const higher = maxDescriptors + 10
	if err := unix.Dup2(pipe[1], higher); err != nil {
		t.Skip("no descriptors as high as that:", err)
	}
	for _, fd := range append(pipe, higher) {
		defer func() { _ = syscall.Close(fd) }()
	}
	closeEachOnExec()
	for _, fd := range append(pipe, higher) {
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("descriptor %d would be inherited; %v", fd, err)
		}
	}
}
