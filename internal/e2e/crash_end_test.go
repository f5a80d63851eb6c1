// SPDX-License-Identifier: MPL-2.0

//go:build unix

package e2e

import (
	"path/filepath"
	"strings"
)

// settle brings about that the lock becomes free, and when.
func (r *crashing) settle() {
	r.T.Helper()
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
			r.work.End()
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
			r.work.End()
		}
	}
}

// goOn does what is left to do where the signal changes nothing.
func (r *crashing) goOn() {
	r.T.Helper()
	if r.moment == waiting {
		r.stays()
		r.space.Delete(lockDir + "/" + r.other)
		r.other = ""
		r.work.AwaitBegun()
	}
	if r.moment != releasing {
		r.stays()
		r.work.End()
	}
	if r.moment != releasing && r.kind != destroyed {
		r.awaitRemoval()
	}
	r.pass()
}

// exits checks how Terraform ends.
func (r *crashing) exits() {
	r.T.Helper()
	code := 0
	if r.fate.exit == killed {
		r.apply.Over() // its orphans keep the pipes
		code = r.apply.Cmd.ProcessState.ExitCode()
	} else {
		code = r.apply.Wait()
	}
	if code != r.fate.exit {
		r.T.Errorf("exit code %d, want %d", code, r.fate.exit)
	}
}

// end checks what is left, and that the user was told what there is to tell.
func (r *crashing) end() {
	r.T.Helper()
	r.exits()
	if r.moment == waiting && r.fate.free != asEver && r.work.HasBegun() {
		r.T.Error("the work was done without the lock")
	}
	r.work.End() // also that of an orphan
	told := strings.Count(r.apply.Stderr(), `clocker: lock "e2e"`)
	endsEarly := r.victim == holderVictim && (r.moment == holding || r.moment == alone) && (r.fate.free == atOnce || r.fate.free == timedOut)
	if want := endsEarly && r.fate.exit == failed; want != (told == 1) || told > 1 {
		r.T.Errorf("a loss was told %d times:\n%s", told, r.apply.Stderr())
	}
	if n := strings.Count(r.apply.Stdout(), "nterrupt received") + 2*strings.Count(r.apply.Stdout(), "nterrupts received"); n != r.interrupts(r.kind) && r.fate.exit != killed {
		r.T.Errorf("the run was interrupted %d times, want %d", n, r.interrupts(r.kind))
	}
	r.stateIsComplete()
	r.leavesNothing()
}

// stateIsComplete checks that the state has all that was done, unless Terraform was
// killed: an exit at once, as after a second interrupt, leaves it out.
func (r *crashing) stateIsComplete() {
	r.T.Helper()
	if r.fate.exit == killed {
		return
	}
	if exists(filepath.Join(r.Dir, "errored.tfstate")) {
		r.T.Error("the state was written elsewhere")
	}
	held := r.moment == holding || r.moment == alone || r.fate.free == asEver && r.moment == waiting
	if held && r.kind != ephemeral && r.state("clocker_lock.a")["held"] != true {
		r.T.Error("the lock is not in the state")
	}
	if held && r.fate.exit == good {
		r.state("terraform_data.work")
	}
}

func (r *crashing) leavesNothing() {
	r.T.Helper()
	durable := r.kind == destroyed && (r.fate.free == never || r.fate.free == asEver && r.moment != releasing)
	switch {
	case durable:
		r.AwaitNoProcess()
		if name := wantDurable(r.T, r.space, lockDir); name != r.name {
			r.T.Errorf("%s holds the lock, want %s", name, r.name)
		}
	case r.other != "":
		if left := r.space.WaitChildren(lockDir, 1); left[0] != r.other {
			r.T.Errorf("the queue is %q, want %q", left, r.other)
		}
		r.space.Delete(lockDir+"/"+r.other, lockDir)
	case r.fate.free == timedOut:
		r.space.WaitChildren(lockDir, 0)
		r.space.Delete(lockDir) // as the next to take the lock would
	default:
		r.space.WaitGone(lockDir)
	}
	r.AwaitNoProcess()
	select {
	case <-r.removal.Hit():
		if r.fate.free == timedOut && r.moment != releasing {
			r.T.Error("the contender was deleted and not timed out")
		}
	default:
	}
	switch {
	case r.moment == releasing && r.kind == destroyed && r.fate.exit != good:
		// Whatever the state says, it can be destroyed again.
		r.pass()
		r.destroy().Succeed()
		r.space.WaitGone(lockDir)
	case durable:
		r.space.Delete(lockDir+"/"+r.name, lockDir)
	}
}
