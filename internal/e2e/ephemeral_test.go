//go:build unix

package e2e

import (
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// ephemeralLock is an ephemeral block of that name for the lock e2e, which is taken
// only to apply unless the arguments say otherwise.
func ephemeralLock(name string, arguments ...string) string {
	text := strings.Join(arguments, "\n  ")
	if !strings.Contains(text, "lockid") {
		text = "lockid = \"e2e\"\n  " + text
	}
	if !strings.Contains(text, "hold ") {
		text = "hold = terraform.applying\n  " + text
	}
	return fmt.Sprintf(`
ephemeral "clocker_lock" %q {
  %s
}
`, name, text)
}

// after is a terraform_data that depends on something and does the work when it is
// created.
func after(dependsOn, name, work string, arguments ...string) string {
	return fmt.Sprintf(`
resource "terraform_data" %q {
  depends_on = [%s]
  %s
  provisioner "local-exec" {
    command = %q
  }
}
`, name, dependsOn, strings.Join(arguments, "\n  "), work)
}

// needsEphemeral skips the test where the command line has no ephemeral blocks.
func needsEphemeral(t *testing.T) {
	t.Helper()
	needs(t, "ephemeral blocks", map[string]int{"Terraform": 10, "OpenTofu": 11})
}

// needs skips the test where the command line is older than the minor versions since
// which it has something. A command line without a version never has it.
func needs(t *testing.T, what string, since map[string]int) {
	t.Helper()
	out, err := exec.Command(commandLine(t), "version").Output()
	if err != nil {
		t.Fatal(err)
	}
	match := regexp.MustCompile(`(\w+) v1\.(\d+)\.`).FindStringSubmatch(string(out))
	if match == nil {
		t.Fatalf("%s", out)
	}
	name := match[1]
	minor, _ := strconv.Atoi(match[2])
	if least, ok := since[name]; !ok || minor < least {
		t.Skipf("%s 1.%d has no %s", name, minor, what)
	}
}

// The lock is held until all is done that depends on it, also through others, and
// not until the run ends.
func TestEphemeralIsHeldUntilItsDependentsAreDone(t *testing.T) {
	t.Parallel()
	needsEphemeral(t)
	space := zktest.NewSpace(t)
	first, second, beside := newGate(t), newGate(t), newGate(t)
	w := newWorkspace(t, provider(space), ephemeralLock("a"),
		after("ephemeral.clocker_lock.a", "first", first.work()),
		after("terraform_data.first", "second", second.work()),
		after("", "beside", beside.work()))

	apply := w.apply()
	first.awaitBegun()
	beside.awaitBegun()
	held := space.WaitChildren(lockDir, 1)
	first.end()
	second.awaitBegun()
	if now := space.Children(lockDir); !slices.Equal(now, held) {
		t.Errorf("while its second dependent works the lock's directory has %q, want %q", now, held)
	}
	second.end()
	space.WaitGone(lockDir)
	if !apply.running() {
		t.Error("the lock was held until the run ended")
	}
	beside.end()
	apply.succeed()
	w.awaitNoProcess()
}

// Neither is there a diff, nor anything in the state.
func TestEphemeralLeavesNoDiff(t *testing.T) {
	t.Parallel()
	needsEphemeral(t)
	space := zktest.NewSpace(t)
	gate := newGate(t)
	w := newWorkspace(t, provider(space), ephemeralLock("a"), after("ephemeral.clocker_lock.a", "work", gate.work()))
	gate.end()
	w.apply().succeed()
	gate.again()
	if code := w.start("plan", "-input=false", "-detailed-exitcode").wait(); code != 0 {
		t.Errorf("after the apply, plan -detailed-exitcode is %d", code)
	}
	apply := w.apply()
	apply.succeed()
	if !strings.Contains(apply.stdout(), `"add":0,"change":0,`) {
		t.Error("another apply changes something")
	}
	if state := w.start("state", "list"); state.wait() != 0 || state.stdout() != "terraform_data.work\n" {
		t.Errorf("the state has %q", state.stdout())
	}
	if gate.hasBegun() {
		t.Error("the work was done again")
	}
	space.WaitGone(lockDir)
}

// A plan does not wait for the lock of another run: it takes none, and says so.
func TestEphemeralIsNotHeldByAPlan(t *testing.T) {
	t.Parallel()
	needsEphemeral(t)
	space := zktest.NewSpace(t)
	other := holdForeign(space)
	held := func(want string) string {
		return ephemeralLock("a", "lockwait = -1", fmt.Sprintf(`
  lifecycle {
    postcondition {
      condition     = self.held == %s && (self.znode != null) == %s && (self.fencing_token != null) == %s
      error_message = "held is ${self.held}, znode is ${self.znode == null ? "null" : self.znode}"
    }
  }`, want, want, want))
	}
	w := newWorkspace(t, provider(space), held("false"), after("ephemeral.clocker_lock.a", "work", "true"))
	w.start("plan", "-input=false").succeed()
	if left := space.Children(lockDir); len(left) != 1 {
		t.Errorf("the plan has left %q", left)
	}
	space.Delete(lockDir+"/"+other, lockDir)
	// The same is not so when it is applied.
	w.configure(provider(space), held("terraform.applying"), after("ephemeral.clocker_lock.a", "work", "true"))
	w.apply().succeed()
}

// Of two applies one works while the other waits.
func TestEphemeralSerializesApplies(t *testing.T) {
	t.Parallel()
	needsEphemeral(t)
	space := zktest.NewSpace(t)
	gates := [2]*gate{newGate(t), newGate(t)}
	applies := [2]*command{}
	for i, gate := range gates {
		w := newWorkspace(t, provider(space), ephemeralLock("a", "lockwait = -1"), after("ephemeral.clocker_lock.a", "work", gate.work()))
		applies[i] = w.apply()
	}
	space.WaitChildren(lockDir, 2)
	eventually(t, "the beginning of a work", func() bool { return gates[0].hasBegun() || gates[1].hasBegun() })
	first := 0
	if gates[1].hasBegun() {
		first = 1
	}
	second := 1 - first
	if gates[second].hasBegun() {
		t.Error("both work at the same time")
	}
	gates[first].end()
	gates[second].awaitBegun()
	applies[first].succeed()
	gates[second].end()
	applies[second].succeed()
}

// Close is not called after an interrupt: the lock is let go when the run ends,
// however it does.
func TestEphemeralOfARunThatIsStopped(t *testing.T) {
	t.Parallel()
	needsEphemeral(t)
	for name, stop := range map[string]func(*command){
		"interrupted":               (*command).interrupt,
		"interrupted in a terminal": (*command).interruptGroup,
		"killed":                    (*command).kill,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			space := zktest.NewSpace(t)
			gate, never := newGate(t), newGate(t)
			w := newWorkspace(t, provider(space), ephemeralLock("a"),
				after("ephemeral.clocker_lock.a", "work", gate.work()),
				after("terraform_data.work", "never", never.work()))
			apply := w.apply()
			gate.awaitBegun()
			held := space.WaitChildren(lockDir, 1)
			gone := watchGone(t, space, lockDir+"/"+held[0])
			stop(apply)
			t.Logf("the znode was gone %v after Terraform's end", gone().Sub(apply.over()).Round(100_000))
			w.awaitNoProcess()
			space.WaitGone(lockDir)
			gate.end()
			if never.hasBegun() {
				t.Error("work was begun after that")
			}
		})
	}
}

// over waits for the end of the process, and tells when that was.
func (c *command) over() (at time.Time) {
	c.t.Helper()
	await(c.t, fmt.Sprintf("the end of %v", c.Args), c.exited)
	return c.ended
}

// An Open that fails, or is interrupted, leaves nothing.
func TestEphemeralThatIsNotHadLeavesNothing(t *testing.T) {
	t.Parallel()
	needsEphemeral(t)
	for name, test := range map[string]struct {
		lockwait int
		stop     func(*command)
		summary  string
	}{
		"tried once":                {0, nil, "Lock Is Held"},
		"waited":                    {1, nil, "Lock Is Held"},
		"interrupted":               {-1, (*command).interrupt, "Interrupted"},
		"interrupted in a terminal": {-1, (*command).interruptGroup, "Interrupted"},
		"killed":                    {-1, (*command).kill, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			space := zktest.NewSpace(t)
			other := holdForeign(space)
			never := newGate(t)
			w := newWorkspace(t, provider(space), ephemeralLock("a", fmt.Sprintf("lockwait = %d", test.lockwait)),
				after("ephemeral.clocker_lock.a", "work", never.work()))
			apply := w.apply()
			if test.stop != nil {
				space.WaitChildren(lockDir, 2)
				test.stop(apply)
			}
			if test.summary == "" {
				apply.over()
			} else {
				apply.fail()
				if d := apply.err(); d.Summary != test.summary || d.Address != "ephemeral.clocker_lock.a" {
					t.Errorf("the error is %v", d)
				}
			}
			if left := space.WaitChildren(lockDir, 1); left[0] != other {
				t.Errorf("the queue is %q, want %q", left, other)
			}
			w.awaitNoProcess()
			if never.hasBegun() {
				t.Error("the work was done without the lock")
			}
			space.Delete(lockDir+"/"+other, lockDir)
		})
	}
}

// A block that is not kept to the apply is taken by a plan too; Ctrl-C ends that
// wait as well.
func TestInterruptEndsThePlanThatWaits(t *testing.T) {
	t.Parallel()
	needsEphemeral(t)
	space := zktest.NewSpace(t)
	other := holdForeign(space)
	w := newWorkspace(t, provider(space), ephemeralLock("a", "hold = true", "lockwait = -1"))
	plan := w.start("plan", "-json", "-input=false")
	space.WaitChildren(lockDir, 2)
	plan.interrupt()
	plan.fail()
	if d := plan.err(); d.Summary != "Interrupted" {
		t.Errorf("the error is %v", d)
	}
	if left := space.WaitChildren(lockDir, 1); left[0] != other {
		t.Errorf("the queue is %q, want %q", left, other)
	}
	w.awaitNoProcess()
	space.Delete(lockDir+"/"+other, lockDir)
}
