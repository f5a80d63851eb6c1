// SPDX-License-Identifier: MPL-2.0

package examples_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/testkit"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// rollout stands for the work that the examples guard.
const rollout = "#!/bin/sh\necho rolled out\n"

// shown are the connect strings in the examples.
var shown = regexp.MustCompile(`zk1\.example\.com:2181[^"]*|127\.0\.0\.1:2181`)

// workspace is a rig with a fresh part of ZooKeeper.
type workspace struct {
	*testkit.Rig
	space *zktest.Space
}

func newWorkspace(t *testing.T, needs testkit.Versions) *workspace {
	t.Helper()
	testkit.Needs(t, needs)
	space := zktest.NewSpace(t) // before the rig, so that it looks for znodes after all processes have ended
	w := &workspace{testkit.New(t), space}
	w.Setenv("CLOCKER_ZOOKEEPER", space.ConnectString())
	w.write("rollout.sh", rollout)
	return w
}

// write writes a file of the workspace. A configuration that is without gets
// required_providers, and the servers that it names become those of the test.
func (w *workspace) write(name, text string) {
	w.T.Helper()
	if name == "main.tf" && !strings.Contains(text, "required_providers") {
		text = testkit.RequiredProviders + text
	}
	w.Write(name, shown.ReplaceAllLiteralString(text, w.space.ConnectString()))
}

func (w *workspace) mkdir(name string) {
	w.T.Helper()
	if err := os.Mkdir(filepath.Join(w.Dir, name), 0o700); err != nil {
		w.T.Fatal(err)
	}
}

func (w *workspace) apply(says string) string {
	w.T.Helper()
	output, code := w.Run(w.CLI.Path, "apply", "-auto-approve", "-no-color", "-input=false")
	if code != 0 || !strings.Contains(output, says) {
		w.T.Errorf("apply: exit code %d, want 0 and %q in\n%s", code, says, output)
	}
	return output
}

func (w *workspace) plan(want int) {
	w.T.Helper()
	if output, code := w.Run(w.CLI.Path, "plan", "-detailed-exitcode", "-no-color", "-input=false"); code != want {
		w.T.Errorf("plan: exit code %d, want %d:\n%s", code, want, output)
	}
}

func (w *workspace) destroy() {
	w.T.Helper()
	if output, code := w.Run(w.CLI.Path, "destroy", "-auto-approve", "-no-color", "-input=false"); code != 0 {
		w.T.Errorf("destroy: exit code %d:\n%s", code, output)
	}
}

// shell runs a script that calls the CLI by the name terraform.
func (w *workspace) shell(script string) {
	w.T.Helper()
	bin := w.T.TempDir()
	if err := os.Symlink(w.CLI.Path, filepath.Join(bin, "terraform")); err != nil {
		w.T.Fatal(err)
	}
	w.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	if output, code := w.Run("/bin/sh", "-c", script); code != 0 {
		w.T.Errorf("%s: exit code %d:\n%s", script, code, output)
	}
}

// hold makes another client hold a lock, and returns its znode.
func (w *workspace) hold(lockID, owner string) string {
	w.T.Helper()
	dir := "/_zklocking/" + lockID
	for _, path := range []string{"/_zklocking", dir} {
		if !w.space.Exists(path) {
			w.space.Create(path, nil, zktest.Persistent)
		}
	}
	return w.join(lockID, owner)
}

// join makes another client queue for a lock that is held, and returns its znode.
func (w *workspace) join(lockID, owner string) string {
	w.T.Helper()
	return w.space.Create("/_zklocking/"+lockID+"/"+foreign+"__lock__", []byte(owner), zktest.EphemeralSequential)
}

// foreign is what the names of other clients' contenders begin with.
var foreign = strings.Repeat("0", 32)
