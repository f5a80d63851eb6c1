// SPDX-License-Identifier: MPL-2.0

//go:build unix

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/testkit"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// at is the provider's block for servers, in the chroot of the space.
func at(space *zktest.Space, servers string, arguments ...string) string {
	return block(`provider "clocker"`, fmt.Sprintf("zookeeper = %q\nconnect_timeout = 2\n%s", servers+space.Chroot(), strings.Join(arguments, "\n")))
}

// A durable lock is not dropped because the configuration names another ensemble, and
// the error names both. Other names of the same servers, and more of them, are no
// other ensemble.
func TestDurableLockInAnotherEnsemble(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	renamed := zktest.NewProxy(t, space.Server())
	other := zktest.Own(t, zktest.Options{})
	w := newQuickWorkspace(t, at(space, space.Addr()), durableLock("a"))
	w.Apply().Succeed()
	name := wantDurable(t, space, lockDir)

	w.configure(at(space, other.Addr()), durableLock("a"))
	for what, start := range map[string]func() *testkit.Command{
		"plan":                   func() *testkit.Command { return w.Start("plan", "-json", "-input=false") },
		"destroy":                func() *testkit.Command { return w.destroy() },
		"destroy without a look": func() *testkit.Command { return w.destroy("-refresh=false") },
	} {
		command := start()
		command.Fail()
		d := command.Err()
		for _, want := range []string{space.Addr(), other.Addr(), space.Path(lockDir + "/" + name), "terraform state rm ADDRESS"} {
			if d.Summary != "Lock Is In Another Ensemble" || !strings.Contains(d.Detail, want) {
				t.Errorf("%s does not say %q: %v", what, want, d)
			}
		}
	}
	if now := wantDurable(t, space, lockDir); now != name {
		t.Errorf("%s has become %s", name, now)
	}

	// Found by another name, which is remembered.
	w.configure(at(space, renamed.Addr()), durableLock("a"))
	w.unchanged()
	w.Apply().Succeed()
	for _, servers := range []string{space.Addr(), "127.0.0.1:1, " + space.Addr(), "127.0.0.1:1," + renamed.Addr()} {
		w.configure(at(space, servers), durableLock("a"))
		w.unchanged()
	}
	// One server in common is enough to believe that it is gone.
	space.Delete(lockDir + "/" + name)
	if plan := w.Plan("clocker_lock.a"); !slices.Equal(plan.Actions, []string{"create"}) {
		t.Errorf("the plan wants to %q the lock", plan.Actions)
	}
	w.configure(at(space, space.Addr()))
	w.Apply().Succeed()
	deleteEmpty(space, lockDir)
	w.AwaitNoProcess()
}

// A durable lock whose dependents have create_before_destroy, which it inherits, never
// waits for its own former znode: another way of taking the same lock is no replacement,
// and one that is forced is an error of the plan. A default that is written out is no
// change.
func TestDurableLockDoesNotWaitForItself(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	work := `
resource "terraform_data" "work" {
  depends_on = [clocker_lock.a]
  lifecycle { create_before_destroy = true }
}
`
	w := newQuickWorkspace(t, provider(space), durableLock("a"), work)
	w.Apply().Succeed()
	name := wantDurable(t, space, lockDir)
	forced := w.Start("plan", "-json", "-input=false", "-replace=clocker_lock.a")
	forced.Fail()
	if d := forced.Err(); d.Summary != "Durable Lock Cannot Replace Itself" || !strings.Contains(d.Detail, space.Path(lockDir+"/"+name)) {
		t.Errorf("the error is %v", d)
	}

	// The same lock, in other words.
	same := durableLock("a", `mode = "exclusive"`, `layout = "standard"`, "required = true", fmt.Sprintf("zookeeper = %q", "localhost:1,"+space.ConnectString()))
	w.configure(provider(space), same, work)
	if plan := w.Plan("clocker_lock.a"); !slices.Equal(plan.Actions, []string{"update"}) {
		t.Errorf("the plan wants to %q the lock", plan.Actions)
	}
	w.Apply().Succeed()
	if now := wantDurable(t, space, lockDir); now != name {
		t.Errorf("%s has become %s", name, now)
	}

	for _, step := range []struct {
		lock, prefix string
		elsewhere    string // where it is, if not there
	}{
		{lock: durableLock("a", `mode = "shared"`), prefix: "sh-"},
		{lock: durableLock("a", "slots = 2"), elsewhere: "/_zksemaphore/e2e", prefix: "sem-"},
		{lock: durableLock("a", `layout = "curator"`), prefix: "ex-"},
		{lock: lock("a")}, // until the run ends
		{lock: durableLock("a"), prefix: "ex-"},
	} {
		w.configure(provider(space), step.lock, work)
		if plan := w.Plan("clocker_lock.a"); !slices.Equal(plan.Actions, []string{"update"}) {
			t.Errorf("the plan wants to %q the lock, for %s", plan.Actions, step.lock)
		}
		w.Apply().Succeed()
		dir := lockDir
		if step.elsewhere != "" {
			space.WaitGone(dir)
			dir = step.elsewhere
		}
		if step.prefix == "" {
			space.WaitGone(dir)
		} else if now := wantDurable(t, space, dir); !strings.HasPrefix(now, step.prefix) {
			t.Errorf("%s is there, for %s", now, step.lock)
		}
	}
	// Below another znode, it would not be the lock of the configuration any more.
	w.configure(provider(space, `lock_root = "/elsewhere"`), durableLock("a"), work)
	moved := w.Apply()
	moved.Fail()
	if d := moved.Err(); d.Summary != "Znode Of Another Lock" || !strings.Contains(d.Detail, "set it back") {
		t.Errorf("the error is %v", d)
	}
	wantDurable(t, space, lockDir)
	w.configure(provider(space), durableLock("a"), work)
	w.destroy().Succeed()
	space.WaitGone(lockDir)
}

// Who has moved a lock, and does not get it, has none: the former one is released.
func TestDurableLockThatIsNotHadAgain(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	w := newQuickWorkspace(t, provider(space), durableLock("a"))
	w.Apply().Succeed()
	wantDurable(t, space, lockDir)
	other := strings.TrimPrefix(space.Create(lockDir+"/lock-", []byte("another client"), zktest.EphemeralSequential), lockDir+"/") // waits behind it
	w.configure(provider(space), durableLock("a", `mode = "shared"`))
	apply := w.Apply()
	apply.Fail()
	if d := apply.Err(); d.Summary != "Lock Is Held" || !strings.Contains(d.Detail, other) {
		t.Errorf("the error is %v", d)
	}
	if left := space.Children(lockDir); !slices.Equal(left, []string{other}) {
		t.Errorf("the queue is %q, want %q", left, other)
	}
	if state := w.state("clocker_lock.a"); state["held"] != false || state["znode"] != nil {
		t.Errorf("the state is %v", state)
	}
	space.Delete(lockDir + "/" + other)
	w.Apply().Succeed()
	wantDurable(t, space, lockDir)
	w.destroy().Succeed()
	space.WaitGone(lockDir)
}

// A lock that was only taken out of the state is held on, until somebody imports and
// destroys it.
func TestDurableLockOutOfTheState(t *testing.T) {
	t.Parallel()
	forgotten := `
removed {
  from = clocker_lock.a
  lifecycle { destroy = false }
}
`
	for name, way := range map[string]struct {
		needs  testkit.Versions
		lock   string
		forget func(w *workspace, space *zktest.Space) *testkit.Command
	}{
		"by a removed block": {
			needs: testkit.Versions{Terraform: 7, Tofu: 7},
			lock:  durableLock("a"),
			forget: func(w *workspace, space *zktest.Space) *testkit.Command {
				w.configure(provider(space), forgotten)
				return w.Apply()
			},
		},
		"by its lifecycle": {
			needs:  testkit.Versions{Terraform: 16, Tofu: 12},
			lock:   durableLock("a", "lifecycle { destroy = false }"),
			forget: func(w *workspace, _ *zktest.Space) *testkit.Command { return w.destroy() },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testkit.Needs(t, way.needs)
			space := zktest.NewSpace(t)
			w := newQuickWorkspace(t, provider(space), way.lock)
			w.Apply().Succeed()
			held := wantDurable(t, space, lockDir)
			way.forget(w, space).Wait() // not all call it a success to have forgotten something
			if list := w.Start("state", "list"); list.Wait() != 0 || list.Stdout() != "" {
				t.Errorf("the state has %q", list.Stdout())
			}
			if now := wantDurable(t, space, lockDir); now != held {
				t.Errorf("%s has become %s", held, now)
			}
			w.configure(provider(space), durableLock("a"))
			w.Start("import", "-input=false", "clocker_lock.a", "e2e").Succeed()
			w.unchanged()
			w.destroy().Succeed()
			space.WaitGone(lockDir)
		})
	}
}

// When ZooKeeper is gone for good, the destroy of a durable lock says how to do
// without, each time.
func TestDurableLockWithoutItsZooKeeper(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	proxy := zktest.NewProxy(t, space.Server())
	w := newQuickWorkspace(t, at(space, proxy.Addr()), durableLock("a"))
	w.Apply().Succeed()
	name := wantDurable(t, space, lockDir)
	proxy.Refuse()
	for _, refresh := range []string{"-refresh=true", "-refresh=false", "-refresh=false"} {
		destroy := w.destroy(refresh)
		destroy.Fail()
		if d := destroy.Err(); d.Summary != "ZooKeeper Cannot Be Reached" || !strings.Contains(d.Detail, "terraform state rm ADDRESS") {
			t.Errorf("destroy %s: %v", refresh, d)
		}
	}
	w.Start("state", "rm", "clocker_lock.a").Succeed()
	w.destroy().Succeed()
	space.Delete(lockDir+"/"+name, lockDir)
}
