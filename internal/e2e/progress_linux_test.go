// SPDX-License-Identifier: MPL-2.0

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/testkit"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// A run that waits says so on Terraform's standard error, wherever that goes, and says
// when it has the lock. One whose user does not want that does not.
func TestWaitingIsVisible(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	gate := testkit.NewGate(t)
	holding := newWorkspace(t, provider(space, `owner = "alice@build1"`), lock("a", `info = "release \"1.4.2\""`), guarded("work", "a", `"1"`, gate.Work()))
	apply := holding.Apply()
	gate.AwaitBegun()

	// The first in line writes to a pipe, and the one behind it does not want to write.
	var waiting []*testkit.Command
	for i, progress := range []string{"", "off"} {
		w := newWorkspace(t, provider(space), lock("a", "lockwait = -1"))
		w.Setenv("CLOCKER_PROGRESS", progress)
		waiting = append(waiting, w.Apply())
		space.WaitChildren(lockDir, i+2)
	}
	written := map[string]func() string{}
	place := len(waiting)
	for name, open := range sinks {
		path, text := open(t)
		written[name] = text
		w := newWorkspace(t, provider(space), lock("a", "lockwait = -1"))
		waiting = append(waiting, w.StartCommand(exec.Command("sh", "-c",
			fmt.Sprintf(`exec "$0" apply -no-color -auto-approve -input=false 2>'%s'`, path), w.CLI.Path)))
		place++
		space.WaitChildren(lockDir, place+1)
	}
	line := func(place string) *regexp.Regexp {
		return regexp.MustCompile(`(?m)^clocker: waiting for lock "e2e": ` + place +
			` in line, behind alice@build1 \(holds it since \d\d:\d\d:\d\d UTC, "release \\"1\.4\.2\\""\)$`)
	}
	testkit.Eventually(t, "a line about the wait", func() bool { return line("1st").MatchString(waiting[0].Stderr()) })
	last := newWorkspace(t, provider(space), lock("a", "lockwait = -1")).Apply() // after all the others
	testkit.Eventually(t, "a line about the wait", func() bool { return line("5th").MatchString(last.Stderr()) })
	gate.End()
	for _, c := range append(waiting, apply, last) {
		c.Succeed()
	}
	got := regexp.MustCompile(`(?m)^clocker: got lock "e2e" after \d+s$`)
	for who, text := range map[string]string{"the first": waiting[0].Stderr(), "the last": last.Stderr(), "to a file": written["file"](), "to a terminal": written["terminal"]()} {
		if !strings.Contains(text, `clocker: waiting for lock "e2e"`) || !got.MatchString(text) {
			t.Errorf("%s was told:\n%s", who, text)
		}
	}
	for who, c := range map[string]*testkit.Command{"who did not want to": waiting[1], "who did not wait": apply} {
		if text := c.Stderr(); strings.Contains(text, "clocker:") {
			t.Errorf("%s was told:\n%s", who, text)
		}
	}
}

// Below Node, as in common wrappers of Terraform in pipelines, standard error is a socket,
// or a pipe.
func TestWaitingIsVisibleBelowNode(t *testing.T) {
	t.Parallel()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("no Node here:", err)
	}
	if scope, err := os.ReadFile("/proc/sys/kernel/yama/ptrace_scope"); err == nil && strings.TrimSpace(string(scope)) != "0" {
		t.Skip("processes share no descriptors here")
	}
	space := zktest.NewSpace(t)
	foreign := holdForeign(space)
	w := newWorkspace(t, provider(space), lock("a", "lockwait = -1"))
	apply := w.StartCommand(exec.Command(node, "-e", `
const child = require("child_process").spawn(process.argv[1], ["apply", "-no-color", "-auto-approve", "-input=false"]);
child.stdout.pipe(process.stdout);
child.stderr.pipe(process.stderr);
child.on("close", code => process.exit(code));`, w.CLI.Path))
	testkit.Eventually(t, "a line about the wait", func() bool {
		return strings.Contains(apply.Stderr(), `clocker: waiting for lock "e2e": 1st in line, behind `)
	})
	space.Delete(lockDir + "/" + foreign)
	apply.Succeed()
}
