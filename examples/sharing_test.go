// SPDX-License-Identifier: MPL-2.0

package examples_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/testkit"
)

// TestFencing publishes with the token of each hold, and in vain with an older one:
// that of a run which lost its lock and does not know.
func TestFencing(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t, testkit.Versions{})
	w.write("main.tf", read(t, "guides/fencing/main.tf"))
	w.write("publish.sh", read(t, "guides/fencing/publish.sh"))
	file := func(name string) string {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(w.Dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(text))
	}
	w.apply("published 1.0")
	old := file("published.token")
	w.Setenv("TF_VAR_release", "2.0")
	w.apply("published 2.0")
	if now := file("published.token"); now == old {
		t.Errorf("the second hold has the token %s of the first", now)
	}
	output, code := w.Run("env", "TOKEN="+old, "RELEASE=1.1", "./publish.sh")
	if code == 0 || !strings.Contains(output, "token "+old+" is older than") {
		t.Errorf("publishing with an older token: exit code %d:\n%s", code, output)
	}
	if published := file("published"); published != "2.0" {
		t.Errorf("%s is published, want 2.0", published)
	}
	w.destroy()
}

// TestMigratingHeld is the cookbook's Clocker.held? where someone else has the lock.
func TestMigratingHeld(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t, testkit.Versions{})
	w.write("main.tf", strings.Replace(read(t, "guides/migrating/held.tf"), "lockwait = 10", "lockwait = 0", 1))
	other := w.hold("lock-test1", "web1 4711")
	w.apply(`log = "not held"`)
	w.space.Delete(other)
	w.apply(`log = "The lock lock-test1 exists and is held"`)
	w.destroy()
}
