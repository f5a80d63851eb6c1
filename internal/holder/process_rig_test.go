// SPDX-License-Identifier: MPL-2.0

//go:build unix

package holder

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/shirou/gopsutil/v4/process"

	"github.com/clocker/terraform-provider-clocker/internal/run"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// terraform is a process that plays the run.
type terraform struct {
	run.Run
	cmd *exec.Cmd
	in  io.Closer
}

func startTerraform(t *testing.T) *terraform {
	t.Helper()
	expectNoHolder(t)
	tf := &terraform{cmd: exec.Command("cat")}
	in, err := tf.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	tf.in = in
	if err := tf.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tf.end)
	if tf.Run, err = run.Of(tf.cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	return tf
}

// end lets it exit in good order, and is reaped.
func (tf *terraform) end() {
	_ = tf.in.Close()
	_ = tf.cmd.Wait()
}

// kill ends it by SIGKILL. Nobody reaps it before the end of the test: it is
// a zombie.
func (tf *terraform) kill() { _ = tf.cmd.Process.Kill() }

// holders are the holder processes of this test binary.
func holders(t *testing.T) []*process.Process {
	t.Helper()
	return copies(t, Command)
}

// copies are the processes of this test binary that were started with the command.
func copies(t *testing.T, command string) []*process.Process {
	t.Helper()
	exe, err := os.Executable()
	if err == nil {
		exe, err = filepath.EvalSymlinks(exe)
	}
	if err != nil {
		t.Fatal(err)
	}
	all, err := process.Processes()
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(p *process.Process) bool {
		args, _ := p.CmdlineSlice() // an error says that it has ended meanwhile
		return zktest.Executable(p.Pid) != exe || len(args) != 2 || args[1] != command
	})
}

// holder is the only holder process.
func holder(t *testing.T) *process.Process {
	t.Helper()
	return only(t, Command)
}

func only(t *testing.T, command string) *process.Process {
	t.Helper()
	found := copies(t, command)
	if len(found) != 1 {
		t.Fatalf("there are %d processes for %q, want one: %v", len(found), command, found)
	}
	return found[0]
}

// awaitNoHolder waits until the holder process has ended, and its sentinel.
func awaitNoHolder(t *testing.T) {
	t.Helper()
	eventually(t, "the end of the holder process", func() bool {
		return len(holders(t)) == 0 && len(copies(t, SentinelCommand)) == 0 && len(copies(t, ListenerCommand)) == 0
	})
}

// expectNoHolder fails the test if a holder process or a sentinel is left at its
// end.
func expectNoHolder(t *testing.T) { t.Cleanup(func() { awaitNoHolder(t) }) }

// newProcess is a Process for the run, which ends with the test.
func newProcess(t *testing.T, r run.Run) *Remote {
	t.Helper()
	p := NewRemote(r)
	t.Cleanup(func() { _ = p.Close() })
	return p
}
