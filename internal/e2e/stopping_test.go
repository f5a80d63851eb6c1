// SPDX-License-Identifier: MPL-2.0

//go:build unix

package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/testkit"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// slow is work that no interrupt ends: Terraform waits for the answer to it.
type slow struct {
	url    string
	asked  chan struct{}
	answer func()
}

func newSlow(t *testing.T) *slow {
	t.Helper()
	asked, answered := make(chan struct{}), make(chan struct{})
	ask := sync.OnceFunc(func() { close(asked) })
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		ask()
		<-answered
		w.WriteHeader(http.StatusNoContent)
	}))
	s := &slow{url: server.URL, asked: asked, answer: sync.OnceFunc(func() { close(answered) })}
	t.Cleanup(server.Close)
	t.Cleanup(s.answer)
	return s
}

// config is a data source that is read during the apply.
func (s *slow) config() string {
	return fmt.Sprintf(`
resource "terraform_data" "before" {}

data "terraform_remote_state" "slow" {
  depends_on = [terraform_data.before]
  backend    = "http"
  config     = { address = %q }
  defaults   = {}
}
`, s.url)
}

// A lock that is lost when the user has interrupted the run already does not
// interrupt it again, which would end Terraform at once. That is known as long as a
// provider process lives that has heard of the first interrupt, and else if that came
// to Terraform's whole process group, as from a terminal. Else nobody can know of it.
func TestLossOfARunThatIsStopping(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		block     string
		interrupt func(*testkit.Command)
		known     bool
	}{
		"a provider lives":      {"ephemeral.clocker_lock.a", (*testkit.Command).Interrupt, true},
		"Ctrl-C in a terminal":  {"clocker_lock.a", (*testkit.Command).InterruptGroup, true},
		"Terraform alone hears": {"clocker_lock.a", (*testkit.Command).Interrupt, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			slow := newSlow(t)
			l := newLosing(t, zktest.NewSpace(t), test.block)
			file := filepath.Join(l.Dir, "holder.log")
			l.Setenv("CLOCKER_LOG_PATH", file)
			l.configure(provider(l.space, "session_timeout = 10"), blocks[test.block]("a"), after(test.block, "first", l.first.Work()), slow.config())
			apply := l.Apply()
			l.awaitHeld()
			testkit.Await(t, "the slow work", slow.asked)
			if strings.HasPrefix(test.block, "clocker_lock") {
				l.AwaitNoProvider()
			}
			test.interrupt(apply)
			testkit.Eventually(t, "the interrupt", func() bool { return strings.Contains(apply.Stdout(), "Interrupt received") })
			if test.known {
				testkit.Eventually(t, "the holder's knowledge of the interrupt", func() bool {
					text, _ := os.ReadFile(file)
					return strings.Contains(string(text), `msg="run interrupted"`)
				})
			}
			l.deleted()
			says := map[bool]string{true: "This run is stopping already.", false: "Interrupting this run."}[test.known]
			testkit.Eventually(t, "the word of the loss", func() bool { return strings.Contains(apply.Stderr(), says) })
			if test.known {
				if !apply.Running() {
					t.Error("the run is over, though it has not finished")
				}
				slow.answer()
			}
			apply.Fail()
			if again := strings.Contains(apply.Stdout(), "Two interrupts"); again == test.known {
				t.Errorf("interrupted again: %t", again)
			}
			l.AwaitNoProcess()
			deleteEmpty(l.space, lockDir)
		})
	}
}
