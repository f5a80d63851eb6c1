// SPDX-License-Identifier: MPL-2.0

//go:build unix

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// Who edits a state has no other lock's znode released, described or taken for held, and
// no directory deleted.
func TestEditedStateReleasesNoOtherLock(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	victim := newQuickWorkspace(t, provider(space), durableLock("a", `lockid = "victim"`))
	victim.Apply().Succeed()
	theirs := "/_zklocking/victim/" + wantDurable(t, space, "/_zklocking/victim")

	w := newQuickWorkspace(t, provider(space), durableLock("a"))
	w.Apply().Succeed()
	ours := lockDir + "/" + wantDurable(t, space, lockDir)
	file := filepath.Join(w.Dir, "terraform.tfstate")
	state, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	edit := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil { //nolint:gosec // in the test's own directory
			t.Fatal(err)
		}
	}
	for _, forged := range []string{theirs, lockDir + "/../victim/" + filepath.Base(theirs), lockDir + "/deeper/" + filepath.Base(ours), lockDir} {
		edit(strings.Replace(string(state), space.Path(ours), space.Path(forged), 1))
		for _, args := range [][]string{{}, {"-refresh=false"}} {
			destroy := w.destroy(args...)
			destroy.Fail()
			if d := destroy.Err(); d.Summary != "Znode Of Another Lock" || !strings.Contains(unwrapped(d.Detail), space.Path(lockDir)) {
				t.Errorf("%s: the error is %v", forged, d)
			}
		}
	}
	if !space.Exists(theirs) || !space.Exists(ours) {
		t.Errorf("there is %q", space.Tree())
	}
	edit(string(state))
	w.configure(provider(space, `lock_root = "/elsewhere"`), durableLock("a"))
	moved := w.destroy()
	moved.Fail()
	if d := moved.Err(); !strings.Contains(unwrapped(d.Detail), "lock_root of the provider or the chroot in zookeeper was changed") {
		t.Errorf("the error is %v", d)
	}
	w.configure(provider(space), durableLock("a"))
	w.destroy().Succeed()
	victim.destroy().Succeed()
}
