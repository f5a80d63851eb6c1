//go:build unix

package e2e

import (
	"path/filepath"
	"strings"
)

// settle brings about that the lock becomes free, and when.
func (r *crashing) settle() {
	r.t.Helper()
	switch r.fate.free {
	case asEver:
		r.goOn()
	case atOnce:
		if r.moment == releasing {
			r.exits()
			r.stays()
		} else {
			r.awaitRemoval()
		}
		r.pass()
	case atTheEnd:
		if r.victim != terraform { // which goes on
			r.stays()
			r.work.end()
		}
		r.awaitRemoval()
		r.pass()
	case timedOut:
		if r.moment == releasing {
			r.exits()
			r.removal.Lose()
		}
	case never:
		if r.moment == releasing {
			r.exits()
			r.removal.Lose()
		}
		if r.victim != terraform {
			r.work.end()
		}
	}
}

// goOn does what is left to do where the signal changes nothing.
func (r *crashing) goOn() {
	r.t.Helper()
	if r.moment == waiting {
		r.stays()
		r.space.Delete(lockDir + "/" + r.other)
		r.other = ""
		r.work.awaitBegun()
	}
	if r.moment != releasing {
		r.stays()
		r.work.end()
	}
	if r.moment != releasing && r.kind != destroyed {
		r.awaitRemoval()
	}
	r.pass()
}

// exits checks how Terraform ends.
func (r *crashing) exits() {
	r.t.Helper()
	code := 0
	if r.fate.exit == killed {
		r.apply.over() // its orphans keep the pipes
		code = r.apply.ProcessState.ExitCode()
	} else {
		code = r.apply.wait()
	}
	if code != r.fate.exit {
		r.t.Errorf("exit code %d, want %d", code, r.fate.exit)
	}
}

// end checks what is left, and that the user was told what there is to tell.
func (r *crashing) end() {
	r.t.Helper()
	r.exits()
	if r.moment == waiting && r.fate.free != asEver && r.work.hasBegun() {
		r.t.Error("the work was done without the lock")
	}
	r.work.end() // also that of an orphan
	told := strings.Count(r.apply.stderr(), `clocker: lock "e2e"`)
	endsEarly := r.victim == holderVictim && (r.moment == holding || r.moment == alone) && (r.fate.free == atOnce || r.fate.free == timedOut)
	if want := endsEarly && r.fate.exit == failed; want != (told == 1) || told > 1 {
		r.t.Errorf("a loss was told %d times:\n%s", told, r.apply.stderr())
	}
	if n := strings.Count(r.apply.stdout(), "nterrupt received") + 2*strings.Count(r.apply.stdout(), "nterrupts received"); n != r.interrupts(r.kind) && r.fate.exit != killed {
		r.t.Errorf("the run was interrupted %d times, want %d", n, r.interrupts(r.kind))
	}
	r.stateIsComplete()
	r.leavesNothing()
}

// stateIsComplete checks that the state has all that was done, unless Terraform was
// killed: an exit at once, as after a second interrupt, leaves it out.
func (r *crashing) stateIsComplete() {
	r.t.Helper()
	if r.fate.exit == killed {
		return
	}
	if exists(filepath.Join(r.dir, "errored.tfstate")) {
		r.t.Error("the state was written elsewhere")
	}
	held := r.moment == holding || r.moment == alone || r.fate.free == asEver && r.moment == waiting
	if held && r.kind != ephemeral && r.state("clocker_lock.a")["held"] != true {
		r.t.Error("the lock is not in the state")
	}
	if held && r.fate.exit == good {
		r.state("terraform_data.work")
	}
}

func (r *crashing) leavesNothing() {
	r.t.Helper()
	durable := r.kind == destroyed && (r.fate.free == never || r.fate.free == asEver && r.moment != releasing)
	switch {
	case durable:
		r.awaitNoProcess()
		if name := wantDurable(r.t, r.space, lockDir); name != r.name {
			r.t.Errorf("%s holds the lock, want %s", name, r.name)
		}
	case r.other != "":
		if left := r.space.WaitChildren(lockDir, 1); left[0] != r.other {
			r.t.Errorf("the queue is %q, want %q", left, r.other)
		}
		r.space.Delete(lockDir+"/"+r.other, lockDir)
	case r.fate.free == timedOut:
		r.space.WaitChildren(lockDir, 0)
		r.space.Delete(lockDir) // as the next to take the lock would
	default:
		r.space.WaitGone(lockDir)
	}
	r.awaitNoProcess()
	select {
	case <-r.removal.Hit():
		if r.fate.free == timedOut && r.moment != releasing {
			r.t.Error("the contender was deleted and not timed out")
		}
	default:
	}
	switch {
	case r.moment == releasing && r.kind == destroyed && r.fate.exit != good:
		// Whatever the state says, it can be destroyed again.
		r.pass()
		r.destroy().succeed()
		r.space.WaitGone(lockDir)
	case durable:
		r.space.Delete(lockDir+"/"+r.name, lockDir)
	}
}
