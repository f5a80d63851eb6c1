// SPDX-License-Identifier: MPL-2.0

//go:build unix

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/testkit"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// Four configurations that share a lock are applied again and again: the guarded
// work of one begins only after that of the last one has ended, and every holder's
// token is greater than the last one's.
func TestNoTwoRunsWorkAtTheSameTime(t *testing.T) {
	t.Parallel()
	const (
		configurations = 4
		rounds         = 5
	)
	space := zktest.NewSpace(t)
	log := filepath.Join(t.TempDir(), "log")
	var workspaces [configurations]*workspace
	for i := range workspaces {
		// Work that overlaps with another's shows in the log, if it lasts.
		work := fmt.Sprintf(`echo "begin %[1]d $TOKEN" >>%[2]s; sleep 0.05; echo "end %[1]d $TOKEN" >>%[2]s`, i, log)
		workspaces[i] = newWorkspace(t, provider(space), lock("a", "lockwait = -1"), fmt.Sprintf(`
resource "terraform_data" "work" {
  triggers_replace = clocker_lock.a.fencing_token
  provisioner "local-exec" {
    command     = %q
    environment = { TOKEN = clocker_lock.a.fencing_token }
  }
}
`, work))
	}

	for range rounds {
		var applies [configurations]*testkit.Command
		for i, w := range workspaces {
			applies[i] = w.Apply()
		}
		for _, apply := range applies {
			apply.Succeed()
		}
	}

	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if len(lines) != 2*configurations*rounds {
		t.Errorf("the log has %d lines, want %d", len(lines), 2*configurations*rounds)
	}
	last := 0
	for i := 0; i+1 < len(lines); i += 2 {
		var config, token int
		if _, err := fmt.Sscanf(lines[i], "begin %d %d", &config, &token); err != nil || lines[i+1] != fmt.Sprintf("end %d %d", config, token) {
			t.Fatalf("work overlaps at line %d:\n%s", i+1, text)
		}
		if token <= last {
			t.Errorf("the token %d follows %d", token, last)
		}
		last = token
	}
}
