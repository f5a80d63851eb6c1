//go:build unix

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// workspace is a directory with a configuration, the state that comes of it, and
// a provider executable of its own, by which its processes are told from others.
type workspace struct {
	t       *testing.T
	cli     string
	dir     string
	plugins string
	env     []string
}

// newWorkspace makes a workspace with the configuration. Its end fails the test
// if it leaves a process, or if the provider or the holder found a data race.
func newWorkspace(t *testing.T, config ...string) *workspace {
	t.Helper()
	cli := commandLine(t)
	provider, err := builtProvider()
	if err != nil {
		t.Fatal(err)
	}
	top := t.TempDir()
	w := &workspace{
		t:       t,
		cli:     cli,
		dir:     filepath.Join(top, "config"),
		plugins: filepath.Join(top, "plugins"),
	}
	for _, dir := range []string{w.dir, w.plugins} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(provider, filepath.Join(w.plugins, providerFile)); err != nil {
		t.Fatal(err)
	}
	cliConfig := filepath.Join(top, "cli.tfrc")
	write(t, cliConfig, fmt.Sprintf(`
provider_installation {
  dev_overrides {
    "clocker/clocker" = %q
  }
  direct {}
}
`, w.plugins))
	// Nothing of the developer's own settings.
	w.env = []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + top,
		"TMPDIR=" + buildDir, // a plugin that is killed leaves its socket
		"TF_CLI_CONFIG_FILE=" + cliConfig,
		"CHECKPOINT_DISABLE=1",
		"TF_IN_AUTOMATION=1",
		"GORACE=atexit_sleep_ms=0 log_path=" + filepath.Join(top, "race"),
		zktest.MarkProcesses(t),
	}
	t.Cleanup(func() {
		w.checkRaces(top)
		w.checkProcesses()
	})
	w.configure(config...)
	return w
}

// configure replaces the configuration.
func (w *workspace) configure(config ...string) {
	w.t.Helper()
	write(w.t, filepath.Join(w.dir, "main.tf"), strings.Join(append([]string{requiredProviders}, config...), "\n"))
}

// setenv adds to the environment of the commands.
func (w *workspace) setenv(name, value string) {
	w.env = append(w.env, name+"="+value)
}

// checkRaces reports what the race detector wrote, which goes to a file since
// the holder has no standard error.
func (w *workspace) checkRaces(top string) {
	reports, _ := filepath.Glob(filepath.Join(top, "race.*"))
	for _, report := range reports {
		text, _ := os.ReadFile(report)
		w.t.Errorf("%s", text)
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil { //nolint:gosec // below a test's own directory
		t.Fatal(err)
	}
}

const requiredProviders = `
terraform {
  required_providers {
    clocker = { source = "clocker/clocker" }
  }
}
`

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
