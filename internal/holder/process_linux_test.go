// SPDX-License-Identifier: MPL-2.0

package holder

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/shirou/gopsutil/v4/net"
	"golang.org/x/sys/unix"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// A holder process has nothing of the provider's or Terraform's but a pipe, and its
// sentinel nothing of these.
func TestProcessIsDetached(t *testing.T) {
	const secret = "hunter2-of-the-test"
	t.Setenv("CLOCKER_PASSWORD", secret)
	t.Setenv("TF_VAR_password", secret)
	// As a shell's, or a CI system's, which every process below inherits.
	inherited := make([]int, 2)
	if err := syscall.Pipe(inherited); err != nil {
		t.Fatal(err)
	}
	const high, higher = 1023, 4096
	for _, fd := range []int{high, higher} {
		if err := unix.Dup2(inherited[1], fd); err != nil {
			t.Fatal(err)
		}
	}
	for _, fd := range append(inherited, high, higher) {
		defer func() { _ = syscall.Close(fd) }()
	}
	t.Setenv(EnvDebug, "true") // else only root may look

	space := zktest.NewSpace(t)
	tf := startTerraform(t)
	p := newProcess(t, tf.Run)
	req := request(t, space, "a", 0)
	req.Ensemble.Auth = zookeeper.Digest{Username: "user", Password: zookeeper.NewSecret(secret)}
	take(t, p, req)
	defer func() {
		tf.end()
		space.WaitGone(dir("a"))
	}()
	eventually(t, "the listener process", func() bool { return len(copies(t, ListenerCommand)) == 1 })
	checkDetached(t, Command, secret, space.Addr(), 2) // two to the sentinel
	checkDetached(t, SentinelCommand, secret, "", 2)   // from the holder
	checkDetached(t, ListenerCommand, secret, "", 0)
}

// checkDetached looks for what a process has that it must not have. It may have so
// many pipes.
func checkDetached(t *testing.T, command, secret, zookeeper string, wantPipes int) {
	t.Helper()
	pid := int(only(t, command).Pid)
	proc := fmt.Sprintf("/proc/%d/", pid)
	for _, name := range []string{"environ", "cmdline"} {
		text, err := os.ReadFile(proc + name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), secret) || strings.Contains(strings.Replace(string(text), EnvDebug, "", 1), "CLOCKER_") || strings.Contains(string(text), "TF_") {
			t.Errorf("%s: its %s is %q", command, name, text)
		}
	}
	if cwd, err := os.Readlink(proc + "cwd"); err != nil || cwd != "/" {
		t.Errorf("%s: its working directory is %q (%v)", command, cwd, err)
	}
	sid, err := unix.Getsid(pid)
	if err != nil || (sid == pid) != (command != ListenerCommand) {
		t.Errorf("%s: its session is %d, and it is %d; %v", command, sid, pid, err)
	}
	if pgid, err := unix.Getpgid(pid); command == ListenerCommand && (err != nil || pgid != unix.Getpgrp()) {
		t.Errorf("%s: its process group is %d, want the provider's, %d; %v", command, pgid, unix.Getpgrp(), err)
	}

	fds, err := os.ReadDir(proc + "fd")
	if err != nil {
		t.Fatal(err)
	}
	pipes := map[string]bool{}
	for _, fd := range fds {
		file, err := os.Readlink(filepath.Join(proc, "fd", fd.Name()))
		if err != nil {
			continue // closed meanwhile
		}
		switch {
		case strings.HasPrefix(file, "pipe:"):
			pipes[file] = true
		case file == "/dev/null" && (fd.Name() == "1" || fd.Name() == "2"):
		case strings.HasPrefix(file, "socket:"), strings.HasPrefix(file, "anon_inode:"): // to ZooKeeper, to the run
		case strings.HasPrefix(file, "/sys/fs/cgroup/"): // Go's runtime
		default:
			t.Errorf("%s: its descriptor %s is %s", command, fd.Name(), file)
		}
	}
	connections, err := net.ConnectionsPid("all", int32(pid)) //nolint:gosec // process ids fit
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range connections {
		if c.Family == syscall.AF_UNIX && strings.HasPrefix(c.Laddr.IP+c.Raddr.IP, "@clocker-") || c.Family == syscall.AF_UNIX && command == ListenerCommand {
			continue
		}
		if c.Status == "LISTEN" || fmt.Sprintf("%s:%d", c.Raddr.IP, c.Raddr.Port) != zookeeper {
			t.Errorf("%s: it has the socket %+v, want none but to ZooKeeper", command, c)
		}
	}
	if len(pipes) != wantPipes {
		t.Errorf("%s: it has %d pipes, want %d", command, len(pipes), wantPipes)
	}
}
