// SPDX-License-Identifier: MPL-2.0

//go:build unix

package e2e

import (
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/testkit"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

func TestMain(m *testing.M) {
	zktest.SkipInShort("Test.*") // Terraform takes long
	if signal.Ignored(syscall.SIGHUP) {
		// Below nohup all that the tests start would ignore it, too.
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	}
	testkit.Main(m)
}

// workspace is a rig with a configuration of locks.
type workspace struct{ *testkit.Rig }

// newWorkspace makes a workspace with the configuration, and a provider that looks for data
// races if the tests do.
func newWorkspace(t *testing.T, config ...string) *workspace {
	t.Helper()
	w := &workspace{testkit.NewRace(t)}
	w.configure(config...)
	return w
}

// newQuickWorkspace makes a workspace whose provider does not look for data races, which takes
// a fraction of the processor's time. Other tests take the same steps with one that does.
func newQuickWorkspace(t *testing.T, config ...string) *workspace {
	t.Helper()
	w := &workspace{testkit.New(t)}
	w.configure(config...)
	return w
}

// configure replaces the configuration.
func (w *workspace) configure(config ...string) {
	w.T.Helper()
	w.Write("main.tf", strings.Join(append([]string{testkit.RequiredProviders}, config...), "\n"))
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil { //nolint:gosec // below a test's own directory
		t.Fatal(err)
	}
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// sessionTimeout is that of the runs, in seconds.
const sessionTimeout = 60

// provider is the provider's block for a space, with further arguments.
func provider(space *zktest.Space, arguments ...string) string {
	text := strings.Join(arguments, "\n  ")
	if !strings.Contains(text, "session_timeout") {
		text = fmt.Sprintf("session_timeout = %d\n  %s", sessionTimeout, text)
	}
	return fmt.Sprintf(`
provider "clocker" {
  zookeeper = %q
  %s
}
`, space.ConnectString(), text)
}

// lock is a clocker_lock of that name for the lock e2e, with further arguments,
// which may name another lock.
func lock(name string, arguments ...string) string {
	text := strings.Join(arguments, "\n  ")
	if !strings.Contains(text, "lockid") {
		text = "lockid = \"e2e\"\n  " + text
	}
	return fmt.Sprintf(`
resource "clocker_lock" %q {
  %s
}
`, name, text)
}

// lockDir is the directory of the lock e2e in a space.
const lockDir = "/_zklocking/e2e"

// guarded is a terraform_data that depends on the lock and does the work when it
// is created, which each change of trigger brings about again.
func guarded(name, lock, trigger, work string) string {
	return fmt.Sprintf(`
resource "terraform_data" %q {
  depends_on       = [clocker_lock.%s]
  triggers_replace = %s
  provisioner "local-exec" {
    command = %q
  }
}
`, name, lock, trigger, work)
}
