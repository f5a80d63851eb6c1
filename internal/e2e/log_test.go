// SPDX-License-Identifier: MPL-2.0

//go:build unix

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/testkit"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// line is a line of a log, with fields in any order, each a regular expression.
type line struct {
	level, message string
	fields         []string
}

// inTerraform and inHolder tell whether that log has the line.
func (l line) inTerraform(log string) bool {
	return l.in(log, "["+l.level+"]", ": "+l.message+": ", "@module=clocker")
}

func (l line) inHolder(log string) bool {
	return l.in(log, "level="+l.level, fmt.Sprintf("msg=%q", l.message), " holder=", " run=")
}

func (l line) in(log string, parts ...string) bool {
	for text := range strings.Lines(log) {
		found := true
		for _, part := range parts {
			found = found && strings.Contains(text, part)
		}
		for _, field := range l.fields {
			found = found && regexp.MustCompile(` `+field+`\s`).MatchString(text)
		}
		if found {
			return true
		}
	}
	return false
}

// logging is a workspace whose runs log, and the file where its holders do.
type logging struct {
	*workspace
	file string
}

func newLogging(t *testing.T, file string, config ...string) *logging {
	t.Helper()
	w := newWorkspace(t, config...)
	w.Setenv("TF_LOG_PROVIDER", "info")
	w.Setenv("CLOCKER_LOG_PATH", file)
	if !filepath.IsAbs(file) {
		file = filepath.Join(w.Dir, file)
	}
	return &logging{w, file}
}

// log is what the holders have written.
func (l *logging) log() string {
	text, _ := os.ReadFile(l.file) // none is empty
	return string(text)
}

// said checks what both logs say.
func (l *logging) said(c *testkit.Command, lines ...line) {
	l.T.Helper()
	for _, want := range lines {
		if !want.inTerraform(c.Stderr()) {
			l.T.Errorf("%v is not in Terraform's log:\n%s", want, c.Stderr())
		}
		if !want.inHolder(l.log()) {
			l.T.Errorf("%v is not in the holder's log:\n%s", want, l.log())
		}
	}
}

// Terraform's log and the holder process's name the contender in front, and say each half
// minute that the run still waits. Several holder processes write to the same file.
func TestLogsTellOfWaiting(t *testing.T) {
	t.Parallel()
	testkit.Needs(t, testkit.EphemeralBlocks)
	space := zktest.NewSpace(t)
	file := filepath.Join(t.TempDir(), "holders.log")
	write(t, file, "before\n")
	gate := testkit.NewGate(t)
	first := newLogging(t, file, provider(space, `owner = "the first"`), lock("a"), guarded("work", "a", `"1"`, gate.Work()))
	holding := first.Apply()
	gate.AwaitBegun()
	second := newLogging(t, file, provider(space, `owner = "the second"`), ephemeralLock("b", "lockwait = -1"), after("ephemeral.clocker_lock.b", "work", "true"))
	waiting := second.Apply()

	fields := []string{"lockid=e2e", "place=1", `behind="the first \(on host .*"`, `waited=[0-9.]+m?s`}
	queued, still := line{"INFO", "queued for lock", fields}, line{"INFO", "still waiting for lock", fields}
	testkit.Eventually(t, queued.message, func() bool { return queued.inTerraform(waiting.Stderr()) })
	testkit.EventuallyWithin(t, 2*testkit.Patience, still.message, func() bool { return still.inTerraform(waiting.Stderr()) })
	gate.End()
	holding.Succeed()
	waiting.Succeed()
	second.AwaitNoProcess()
	first.AwaitNoProcess()

	taken := []line{
		{"INFO", "taking lock", []string{"lockid=e2e", "directory=/.*/e2e", "lockwait=.*"}},
		{"INFO", "lock held", []string{"lockid=e2e", "znode=/.*", `fencing_token=\d+`, `waited=[0-9.]+m?s`}},
	}
	first.said(holding, taken...)
	second.said(waiting, append(taken, queued, still, line{"INFO", "lock released", []string{"lockid=e2e", "znode=/.*"}})...)
	log := first.log()
	// The second had nothing left to hold when its run ended.
	for message, want := range map[string]int{"holder started": 2, "run ended": 1, "lock released": 2, "holder ended": 2} {
		if n := strings.Count(log, fmt.Sprintf("msg=%q", message)); n != want {
			t.Errorf("%q is %d times in the file of two holders, want %d", message, n, want)
		}
	}
	if !strings.HasPrefix(log, "before\n") {
		t.Error("what the file had is gone")
	}
}

// Both logs tell of a loss. The holder's file is its owner's alone, and a relative
// path counts from where Terraform works.
func TestLogsTellOfALoss(t *testing.T) {
	t.Parallel()
	testkit.Needs(t, testkit.EphemeralBlocks)
	l := newLosing(t, zktest.NewSpace(t), "ephemeral.clocker_lock.a", `on_lost = "continue"`)
	w := &logging{l.workspace, filepath.Join(l.Dir, "holder.log")}
	w.Setenv("TF_LOG_PROVIDER", "info")
	w.Setenv("CLOCKER_LOG_PATH", "holder.log")
	apply := w.Apply()
	l.awaitHeld()
	l.deleted()
	lost := line{"WARN", "lock lost", []string{"lockid=e2e", "znode=/.*", `cause=".*deleted.*"`}}
	testkit.Eventually(t, "the loss in the holder's log", func() bool { return lost.inHolder(w.log()) })
	l.first.End()
	l.later.End()
	apply.Fail()
	w.AwaitNoProcess()
	w.said(apply, lost)
	info, err := os.Stat(w.file)
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode != 0o600 {
		t.Errorf("the holder's log has the mode %o", mode)
	}
}

// Without a file there is no holder's log, and where it cannot be written a run is
// told so and goes on.
func TestLogThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "missing", "holder.log")
	w := newLogging(t, file, provider(zktest.NewSpace(t)), lock("a"))
	apply := w.Apply()
	apply.Succeed()
	var warnings []string
	for _, d := range apply.Diagnostics() {
		if d.Severity == "warning" && strings.Contains(fmt.Sprint(d), file) {
			warnings = append(warnings, d.Summary)
		}
	}
	if len(warnings) == 0 || warnings[0] != "Holder Keeps No Log" {
		t.Errorf("the user was warned of %q", warnings)
	}
}
