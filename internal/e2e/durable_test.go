// SPDX-License-Identifier: MPL-2.0

//go:build unix

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/testkit"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// durableLock is a clocker_lock that is held until it is destroyed.
func durableLock(name string, arguments ...string) string {
	return lock(name, append([]string{`hold_until = "destroyed"`}, arguments...)...)
}

// wantDurable returns the name of the lock's only contender, which must be
// persistent.
func wantDurable(t *testing.T, space *zktest.Space, dir string) string {
	t.Helper()
	names := space.WaitChildren(dir, 1)
	if _, stat := space.Get(dir + "/" + names[0]); stat.EphemeralOwner != 0 {
		t.Errorf("%s/%s ends with the session %#x", dir, names[0], stat.EphemeralOwner)
	}
	return names[0]
}

// destroy destroys all.
func (w *workspace) destroy(args ...string) *testkit.Command {
	w.T.Helper()
	return w.Start(append([]string{"destroy", "-json", "-auto-approve", "-input=false"}, args...)...)
}

// unchanged fails the test unless a plan finds nothing to do.
func (w *workspace) unchanged(args ...string) {
	w.T.Helper()
	plan := w.Start(append([]string{"plan", "-input=false", "-detailed-exitcode"}, args...)...)
	if code := plan.Wait(); code != 0 {
		w.T.Errorf("plan -detailed-exitcode is %d:\n%s", code, plan.Stdout())
	}
}

// copied is the working directory elsewhere.
func (w *workspace) copied() *workspace {
	w.T.Helper()
	other := newQuickWorkspace(w.T)
	err := os.Remove(filepath.Join(other.Dir, "main.tf"))
	if err == nil {
		err = os.CopyFS(other.Dir, os.DirFS(w.Dir))
	}
	if err != nil {
		w.T.Fatal(err)
	}
	return other
}

func TestDurableLockOutlivesTheRun(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	w := newQuickWorkspace(t, provider(space), durableLock("a"))
	w.Apply().Succeed()
	w.AwaitNoProcess()
	name := wantDurable(t, space, lockDir)
	if state := w.state("clocker_lock.a"); state["znode"] != space.Path(lockDir+"/"+name) || state["held"] != true {
		t.Errorf("the state is %v, and there is %s", state, name)
	}
	w.unchanged()
	w.unchanged("-refresh=false")
	elsewhere := w.copied()
	elsewhere.unchanged()
	if again := elsewhere.Apply(); again.Wait() != 0 || !strings.Contains(again.Stdout(), `"add":0,"change":0,`) {
		t.Error("another apply changes something")
	}
	if now := wantDurable(t, space, lockDir); now != name {
		t.Errorf("%s has become %s", name, now)
	}

	// Any working copy can let it go.
	elsewhere.destroy().Succeed()
	space.WaitGone(lockDir)
	if plan := w.Plan("clocker_lock.a"); !slices.Equal(plan.Actions, []string{"create"}) {
		t.Errorf("the plan wants to %q a lock that is gone", plan.Actions)
	}
}

// Another configuration is told who has the lock, and that nobody's end will free it.
func TestDurableLockIsHeldAgainstOthers(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	holding := newQuickWorkspace(t, provider(space, `owner = "the release team"`), durableLock("a", `info = "until the freeze ends"`))
	holding.Apply().Succeed()
	name := wantDurable(t, space, lockDir)
	for kind, block := range map[string]string{
		"durable":  durableLock("b", "lockwait = 1"),
		"of a run": lock("b", "lockwait = 1"),
	} {
		t.Run(kind, func(t *testing.T) {
			w := newQuickWorkspace(t, provider(space), block)
			apply := w.Apply()
			apply.Fail()
			d := apply.Err()
			for _, want := range []string{
				"the release team", "durable", "until the freeze ends", space.Path(lockDir + "/" + name), "lockwait = 1 seconds",
				"stays until it is destroyed", `"e2e" into a configuration`, "terraform-provider-clocker break e2e --znode " + space.Path(lockDir+"/"+name) + " --reason 'WHY'",
			} {
				if !strings.Contains(d.Detail, want) {
					t.Errorf("the error does not say %q: %v", want, d)
				}
			}
			if strings.Contains(d.Detail, "Run again later") || strings.Contains(d.Detail, "session times out") {
				t.Errorf("the error promises too much: %v", d)
			}
			w.AwaitNoProcess()
			if now := wantDurable(t, space, lockDir); now != name {
				t.Errorf("%s holds the lock, want %s", now, name)
			}
		})
	}
	// What the error says can be pasted.
	w := newQuickWorkspace(t, provider(space), lock("b"))
	refused := w.Apply()
	refused.Fail()
	_, line, _ := strings.Cut(refused.Err().Detail, "in the environment: ")
	line, _, _ = strings.Cut(line, "\n")
	w.Setenv("CLOCKER_ZOOKEEPER", space.ConnectString())
	w.StartCommand(exec.Command("sh", "-c", "'"+filepath.Dir(w.Program)+"'/"+line)).Succeed()
	w.Apply().Succeed()
	holding.destroy().Succeed()
	deleteEmpty(space, lockDir)
}

// destroy lets the lock go last: what depends on it is gone then.
func TestDurableLockIsHeldAllThroughDestroy(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	gate := testkit.NewGate(t)
	w := newQuickWorkspace(t, provider(space), durableLock("a"), fmt.Sprintf(`
resource "terraform_data" "work" {
  depends_on = [clocker_lock.a]
  provisioner "local-exec" {
    when    = destroy
    command = %q
  }
}
`, gate.Work()))
	w.Apply().Succeed()
	name := wantDurable(t, space, lockDir)
	destroy := w.destroy()
	gate.AwaitBegun()
	if now := wantDurable(t, space, lockDir); now != name {
		t.Errorf("%s has become %s", name, now)
	}
	gate.End()
	destroy.Succeed()
	space.WaitGone(lockDir)
	w.AwaitNoProcess()
}

// A lock that an operator has deleted is seen at the next refresh, and taken again.
func TestDurableLockDeletedByHandIsPlannedAgain(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	w := newQuickWorkspace(t, provider(space), durableLock("a"))
	w.Apply().Succeed()
	name := wantDurable(t, space, lockDir)
	token := w.state("clocker_lock.a")["fencing_token"].(float64)
	space.Delete(lockDir + "/" + name)
	if plan := w.Plan("clocker_lock.a"); !slices.Equal(plan.Actions, []string{"create"}) {
		t.Errorf("the plan wants to %q the lock", plan.Actions)
	}
	w.Apply().Succeed()
	now := wantDurable(t, space, lockDir)
	if state := w.state("clocker_lock.a"); state["znode"] != space.Path(lockDir+"/"+now) || state["fencing_token"].(float64) <= token {
		t.Errorf("the state is %v, there is %s, and the token was %v", state, now, token)
	}
	// One that is gone when it is to be destroyed is no error.
	space.Delete(lockDir + "/" + now)
	w.destroy("-refresh=false").Succeed()
	deleteEmpty(space, lockDir)
}

// deleteEmpty deletes the directory of a lock that an operator or the end of
// a session has taken.
func deleteEmpty(space *zktest.Space, dir string) {
	if space.Exists(dir) {
		space.Delete(dir)
	}
}

// A run that is killed while it waits for a durable lock leaves nothing, and takes
// nothing later.
func TestKilledRunLeavesNoDurableLock(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	other := holdForeign(space)
	w := newQuickWorkspace(t, provider(space), durableLock("a", "lockwait = -1"))
	apply := w.Apply()
	space.WaitChildren(lockDir, 2)
	apply.Kill()
	if left := space.WaitChildren(lockDir, 1); left[0] != other {
		t.Errorf("the queue is %q, want %q", left, other)
	}
	space.Delete(lockDir + "/" + other)
	w.AwaitNoProcess()
	if left := space.Children(lockDir); len(left) != 0 {
		t.Errorf("%q is there, and nobody who would delete it", left)
	}
	deleteEmpty(space, lockDir)
}

// A run that ends at the very moment at which its lock becomes durable leaves
// nothing either: nobody would know of that lock.
func TestRunThatEndsWhilePromotingLeavesNoDurableLock(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]func(*testkit.Command){
		"killed":      (*testkit.Command).Kill,
		"interrupted": (*testkit.Command).Interrupt,
	} {
		for what, side := range map[string]zktest.Side{"before": zktest.Request, "after": zktest.Reply} {
			t.Run(name+" "+what, func(t *testing.T) {
				t.Parallel()
				space := zktest.NewSpace(t)
				proxy := zktest.NewProxy(t, space.Server())
				promotion := proxy.Catch(side, func(p zktest.Packet) bool {
					return p.Op == zktest.OpMulti && strings.Contains(string(p.Body), `"durable":true`)
				})
				w := newQuickWorkspace(t, provider(space), durableLock("a", fmt.Sprintf("zookeeper = %q", proxy.Addr()+space.Chroot())))
				apply := w.Apply()
				promotion.Wait()
				stop(apply)
				apply.Over()
				promotion.Pass()
				w.AwaitNoProcess()
				if left := space.Children(lockDir); len(left) != 0 {
					t.Errorf("%q is there", left)
				}
				deleteEmpty(space, lockDir)
			})
		}
	}
}
