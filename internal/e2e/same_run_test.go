// SPDX-License-Identifier: MPL-2.0

//go:build unix

package e2e

import (
	"strings"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// A run takes a lock once, however many blocks and provider configurations ask for
// it, and with however many znodes in front.
func TestSameLockTwiceInOneRun(t *testing.T) {
	t.Parallel()
	another := func(space *zktest.Space) string {
		return strings.Replace(provider(space), "{", "{\n  alias = \"another\"", 1)
	}
	for name, blocks := range map[string]func(*zktest.Space) []string{
		"side by side": func(*zktest.Space) []string {
			return []string{lock("a", "lockwait = -1"), lock("b", "lockwait = -1")}
		},
		"one after the other": func(*zktest.Space) []string {
			return []string{lock("a"), lock("b", "depends_on = [clocker_lock.a]")}
		},
		"by another name": func(*zktest.Space) []string {
			return []string{lock("a", `lockid = "a/b"`), lock("b", `lockid = "a__b"`)}
		},
		"with another mode": func(*zktest.Space) []string {
			return []string{lock("a"), lock("b", `mode = "shared"`, "depends_on = [clocker_lock.a]")}
		},
		"by two configurations": func(space *zktest.Space) []string {
			return []string{another(space), lock("a"), lock("b", "provider = clocker.another")}
		},
		"by two configurations one after the other": func(space *zktest.Space) []string {
			return []string{another(space), lock("a"), lock("b", "provider = clocker.another", "depends_on = [terraform_data.work]"), guarded("work", "a", `"1"`, "true")}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			space := zktest.NewSpace(t)
			w := newWorkspace(t, append([]string{provider(space)}, blocks(space)...)...)
			w.Apply().Succeed()
			a, b := w.state("clocker_lock.a"), w.state("clocker_lock.b")
			if a["znode"] == nil || a["znode"] != b["znode"] || a["fencing_token"] != b["fencing_token"] {
				t.Errorf("one block has %v, and the other %v", a, b)
			}
			w.AwaitNoProcess()
		})
	}
}

// Asking for more than what the run holds is an error at once.
func TestMoreOfTheSameLockInOneRunIsAnError(t *testing.T) {
	t.Parallel()
	for name, asks := range map[string][2][]string{
		"exclusive under shared": {{`mode = "shared"`}, nil},
		"other slots":            {{"slots = 2"}, {"slots = 3"}},
		"durable":                {nil, {`hold_until = "destroyed"`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			space := zktest.NewSpace(t)
			w := newWorkspace(t, provider(space), lock("a", asks[0]...), lock("b", append(asks[1], "lockwait = -1", "depends_on = [clocker_lock.a]")...))
			apply := w.Apply()
			apply.Fail()
			if d := apply.Err(); d.Summary != "Lock Held In Another Way By This Run" || d.Address != "clocker_lock.b" || !strings.Contains(d.Snippet.Code, "lockid") {
				t.Errorf("the error is %v", d)
			}
			w.AwaitNoProcess()
		})
	}
}
