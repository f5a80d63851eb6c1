//go:build unix

package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

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
// interrupt it again, which would end Terraform at once, as long as a provider
// process lives that has heard of the first interrupt. Else nobody can know of that.
func TestLossOfARunThatIsStopping(t *testing.T) {
	t.Parallel()
	for block, says := range map[string]string{
		"clocker_lock.a":           "Interrupting this run.",
		"ephemeral.clocker_lock.a": "This run is stopping already.",
	} {
		t.Run(block, func(t *testing.T) {
			t.Parallel()
			slow := newSlow(t)
			l := newLosing(t, zktest.NewSpace(t), block)
			heard := strings.HasPrefix(block, "ephemeral")
			l.configure(provider(l.space, "session_timeout = 10"), blocks[block]("a"), after(block, "first", l.first.work()), slow.config())
			apply := l.apply()
			l.awaitHeld()
			await(t, "the slow work", slow.asked)
			if !heard {
				l.awaitNoProvider()
			}
			apply.interrupt()
			if heard {
				eventually(t, "the holder's knowledge of the interrupt", l.knowsOfAnInterrupt)
			} else {
				eventually(t, "the interrupt", func() bool { return strings.Contains(apply.stdout(), "Interrupt received") })
			}
			l.deleted()
			eventually(t, "the word of the loss", func() bool { return strings.Contains(apply.stderr(), says) })
			if heard {
				if !apply.running() {
					t.Error("the run is over, though it has not finished")
				}
				slow.answer()
			}
			apply.fail()
			if again := strings.Contains(apply.stdout(), "Two interrupts"); again == heard {
				t.Errorf("interrupted again: %t", again)
			}
			l.awaitNoProcess()
			deleteEmpty(l.space, lockDir)
		})
	}
}

// knowsOfAnInterrupt tells whether a holder keeps others from interrupting the run.
func (l *losing) knowsOfAnInterrupt() bool {
	found := false
	for _, cache := range []string{".cache", filepath.Join("Library", "Caches")} {
		files, _ := filepath.Glob(filepath.Join(filepath.Dir(l.dir), cache, "clocker", "interrupted-*"))
		found = found || len(files) > 0
	}
	return found
}
