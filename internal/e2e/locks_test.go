// SPDX-License-Identifier: MPL-2.0

//go:build unix

package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/testkit"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// byHand starts the provider's executable as a person does.
func (w *workspace) byHand(args ...string) *testkit.Command {
	w.T.Helper()
	return w.StartCommand(exec.Command(w.Program, args...))
}

// A table shows all locks; JSON says the same.
func TestLocksByHand(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	foreign := holdForeign(space)
	waiting := space.Create(lockDir+"/lock-", nil, zktest.EphemeralSequential)
	w := newQuickWorkspace(t)
	w.Setenv("CLOCKER_ZOOKEEPER", space.ConnectString())
	table := w.byHand("locks")
	table.Succeed()
	lines := strings.Split(table.Stdout(), "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[0], "LOCK  HELD BY ") || !strings.HasPrefix(lines[1], "e2e   another client ") ||
		!strings.Contains(lines[1], "Z  1        -     "+space.Path(lockDir+"/"+foreign)) || table.Stderr() != "" {
		t.Errorf("it prints\n%s\n%s", table.Stdout(), table.Stderr())
	}
	narrowed := w.byHand("locks", "--json", "f")
	narrowed.Succeed()
	if narrowed.Stdout() != "[]\n" {
		t.Errorf("with a prefix it prints %q", narrowed.Stdout())
	}
	w.Setenv("CLOCKER_ZOOKEEPER", "127.0.0.1:1")
	w.Setenv("CLOCKER_CONNECT_TIMEOUT", "1")
	failed := w.byHand("locks")
	failed.Fail()
	if text := failed.Stderr(); !strings.Contains(text, "ZooKeeper Cannot Be Reached") || failed.Stdout() != "" {
		t.Errorf("without a server it says %q", text)
	}
	space.Delete(waiting, lockDir+"/"+foreign, lockDir)
}

// Each change is shown, until an interrupt ends it well.
func TestLocksAreFollowedByHand(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	w := newQuickWorkspace(t)
	w.Setenv("CLOCKER_ZOOKEEPER", space.ConnectString())
	watch := w.byHand("locks", "--watch", "--json")
	shows := func(what string, holders int) {
		t.Helper()
		testkit.Eventually(t, what, func() bool {
			lines := strings.Split(strings.TrimSpace(watch.Stdout()), "\n")
			var locks []struct {
				Holders []any `json:"holders"`
			}
			if err := json.Unmarshal([]byte(lines[len(lines)-1]), &locks); err != nil {
				return false
			}
			return len(locks) == holders && (holders == 0 || len(locks[0].Holders) == 1)
		})
	}
	shows("no lock", 0)
	foreign := holdForeign(space)
	shows("a lock", 1)
	space.Delete(lockDir+"/"+foreign, lockDir)
	shows("no lock any more", 0)
	watch.Interrupt()
	watch.Succeed()
}

// The command says which contender it has removed. A second time there is nothing to
// break. The log keeps it.
func TestBreakByHand(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	gate := testkit.NewGate(t)
	loser := newQuickWorkspace(t, provider(space), lock("a"), guarded("work", "a", `"1"`, gate.Work()))
	apply := loser.Apply()
	gate.AwaitBegun()
	znode := space.Path(lockDir + "/" + space.WaitChildren(lockDir, 1)[0])

	w := newQuickWorkspace(t)
	log := filepath.Join(w.Dir, "break.log")
	for name, value := range map[string]string{"CLOCKER_ZOOKEEPER": space.ConnectString(), "CLOCKER_OWNER": "carol@ops", "CLOCKER_LOG_PATH": log} {
		w.Setenv(name, value)
	}
	first := w.byHand("break", "e2e", "--znode", znode, "--reason", reason)
	first.Succeed()
	if text := first.Stdout(); !strings.HasPrefix(text, "Removed ") || !strings.Contains(text, znode) || !strings.Contains(text, "was told who did it and why") {
		t.Errorf("it prints %q", text)
	}
	second := w.byHand("break", "--reason", reason, "--znode", znode, "e2e")
	second.Fail()
	if text := second.Stderr(); !strings.Contains(text, "Nothing To Break (--znode)") {
		t.Errorf("a second time it says %q", text)
	}
	if text := readFile(t, log); strings.Count(text, "lock broken") != 1 || !strings.Contains(text, "by=carol@ops") || !strings.Contains(text, reason) {
		t.Errorf("the log is\n%s", text)
	}
	gate.End()
	apply.Fail()
	if text := apply.Stderr(); !strings.Contains(text, `carol@ops broke it: "`+reason+`"`) {
		t.Errorf("the run reads\n%s", text)
	}
	deleteEmpty(space, lockDir)
}

func readFile(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
