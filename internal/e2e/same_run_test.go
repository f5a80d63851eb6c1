//go:build unix

package e2e

import (
	"strings"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// Two blocks of one run for one lock: the second is told at once, however long it
// would wait, since it would wait for itself.
func TestSameLockTwiceInOneRunIsAnError(t *testing.T) {
	t.Parallel()
	for name, blocks := range map[string][]string{
		"side by side": {
			lock("a", "lockwait = -1"),
			lock("b", "lockwait = -1"),
		},
		"one after the other": {
			lock("a", "lockwait = -1"),
			lock("b", "lockwait = -1", "depends_on = [clocker_lock.a]"),
		},
		"by another name": {
			lock("a", `lockid = "a/b"`, "lockwait = -1"),
			lock("b", `lockid = "a__b"`, "lockwait = -1"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			space := zktest.NewSpace(t)
			w := newWorkspace(t, append([]string{provider(space)}, blocks...)...)
			apply := w.apply()
			apply.fail()
			d := apply.err()
			first := map[string]string{"clocker_lock.a": "clocker_lock.b", "clocker_lock.b": "clocker_lock.a"}[d.Address]
			if d.Summary != "Lock Taken Twice In One Run" || first == "" || !strings.Contains(d.Snippet.Code, "lockid") {
				t.Fatalf("the error is not on a lockid: %v", d)
			}
			if znode := w.state(first)["znode"].(string); !strings.Contains(d.Detail, znode) {
				t.Errorf("the error does not name the other block's lock %s: %v", znode, d)
			}
		})
	}
}
