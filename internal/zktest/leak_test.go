// SPDX-License-Identifier: MPL-2.0

package zktest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// envLeak makes TestLeak leak what it names.
const envLeak = "ZKTEST_LEAK"

// TestLeak is run by TestRunReportsLeaks, in a process of its own.
func TestLeak(t *testing.T) {
	switch os.Getenv(envLeak) {
	case "goroutine":
		go func() { <-make(chan struct{}) }()
	case "server":
		if _, err := StartServer(bounded(t), Options{}); err != nil {
			t.Fatal(err)
		}
	case "session":
		if _, err := dialSession([]string{NewSpace(t).Addr()}, sessionTimeout); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRunReportsLeaks(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for leak, want := range map[string]string{
		"nothing":   "PASS\n",
		"goroutine": "left goroutines: found unexpected goroutines",
		"server":    "left processes: context deadline exceeded",
		"session":   "left goroutines: found unexpected goroutines",
	} {
		t.Run(leak, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestLeak$")
			cmd.Env = append(os.Environ(), envLeak+"="+leak, MarkProcesses(t), "TMPDIR="+t.TempDir())
			output, err := cmd.CombinedOutput()
			if (err == nil) != (leak == "nothing") || !strings.Contains(string(output), want) {
				t.Errorf("want %q, got %v:\n%s", want, err, output)
			}
		})
	}
}

func TestMarkProcesses(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux shows the environment of a process")
	}
	t.Parallel()
	recorder := &recorder{TB: t}
	assignment := MarkProcesses(recorder)
	// A grandchild whose parent is gone, as a detached helper's is.
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	c, err := start(log, "/usr/bin/env", assignment, "/bin/sh", "-c", "sleep 60 & echo $!")
	if err != nil {
		t.Fatal(err)
	}
	<-c.exited
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	err = awaitGone(ctx, func(p relative) bool { return p.mark == assignment })
	if err == nil || !strings.Contains(err.Error(), "sleep 60") {
		t.Errorf("an orphan is left, and the error is %v", err)
	}

	pid, err := os.ReadFile(log.Name())
	if err != nil {
		t.Fatal(err)
	}
	kill, err := start(log, "/bin/sh", "-c", "kill "+string(pid))
	if err != nil {
		t.Fatal(err)
	}
	<-kill.exited
	recorder.finish()
	if len(recorder.errors) != 0 {
		t.Errorf("nothing is left, but reported is %q", recorder.errors)
	}
}
