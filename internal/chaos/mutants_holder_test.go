// SPDX-License-Identifier: MPL-2.0

//go:build unix

package chaos

// The holder, and the watch over the run.
var holderMutants = map[string]mutant{
	"an exclusive lock is granted to who holds it shared": {
		file: "holder/reentrant.go", from: "have.Mode != locker.Shared || want.Mode == locker.Shared", to: "have.Mode != locker.Exclusive || want.Mode == locker.Shared",
		test: "holder TestFind", finds: "want refused",
	},
	"the first of two grants releases the lock": {
		file: "holder/release.go", from: "if len(k.grants)+len(k.waiters) > 1 {", to: "if len(k.grants)+len(k.waiters) > 2 {",
		test: "holder TestHoldersKeepTheirPromises/in_the_same_process/a_run_has_a_lock_once", finds: "while a grant is left",
	},
	"a lost lock is granted again": {
		file: "holder/acquire.go", from: "if w.late && !l.check(ctx, k) {", to: "if w.late && k.done == nil && !l.check(ctx, k) {",
		test: "holder TestHoldersKeepTheirPromises/in_the_same_process/a_lost_lock_is_taken_anew", finds: "was deleted",
	},
	"who leaves ends the wait of all": {
		file: "holder/acquire.go", from: "if len(k.waiters)+len(k.grants) > 0 || k.leaving != nil {", to: "if len(k.grants) > 0 || k.leaving != nil {",
		test: "holder TestWaitersWaitTogether", finds: "wait for the children",
	},
	"a release ends with the provider process that asked for it": {
		file: "holder/session.go", from: "c.holder.Release(context.WithoutCancel(c.ctx), *m.Znode)", to: "c.holder.Release(c.ctx, *m.Znode)",
		test: "holder TestReleaseGoesOnWithoutItsProvider", finds: "was not released",
	},
	"the holders of two versions interrupt the run twice": {
		file: "holder/interrupt.go", from: "return err != nil || owner != os.Geteuid()", to: "return err == nil || owner != os.Geteuid()",
		test: "holder TestProcessesOfTwoVersionsInterruptOnce", finds: "is told",
	},
	"the holder ends with the last provider process": {
		file: "holder/hold.go", from: "serving = h.local.Held() > 0 || ", to: "serving = h.local.Held() > 1<<20 || ",
		test: "holder TestProcessHoldsUntilTheRunEnds", finds: "gone with the provider|no process|there are 0",
	},
	"the holder of an interrupted run ends with the last provider process": {
		file: "holder/hold.go", from: "|| h.interrupter.isStopping() ||", to: "||",
		test: "holder TestHolderOfARunThatIsStoppingStays", finds: "is told",
	},
	"the sentinel does not learn of an interrupt": {
		file: "holder/hold.go", from: "h.interrupter.stops = h.sentinel.runStops", to: "_ = h.sentinel.runStops",
		test: "holder TestSentinelKnowsOfAnInterrupt", finds: "is told|the run tells",
	},
	"a new sentinel does not learn of an interrupt before it": {
		file: "holder/sentinel.go", from: "if err == nil && s.stops {", to: "if err == nil && s.stops && s.last == 0 {",
		test: "holder TestSentinelKnowsOfAnInterrupt", finds: "is told|the run tells",
	},
	"the sentinel does not learn of a release": {
		file: "holder/watch.go", from: "delete(locks, n.Gone)", to: "_ = n.Gone",
		test: "holder TestSentinelKnowsWhatIsHeld", finds: "is told",
	},
	"the sentinel interrupts for a lock whose loss may pass": {
		file: "holder/watch.go", from: ".lost(loss, lock.Interrupt)", to: ".lost(loss, true)",
		test: "holder TestSentinelKnowsWhatIsHeld", finds: "the run tells",
	},
	"a durable lock stays whose answer nobody has read": {
		file: "holder/session.go", from: "_ = c.holder.Release(ctx, Znode{", to: "_, _ = ctx, (Znode{",
		test: "holder TestDurableLockThatNobodyTook", finds: "there is",
	},
	"a grant stays that came after its wait was given up": {
		file: "holder/connection.go", from: `case givenUp && a.Waiting == nil && a.Grant.ID != "":`, to: `case givenUp && a.Waiting == nil && a.Grant.ID == "none":`,
		test: "holder TestGrantThatComesTooLateIsGivenBack", finds: "not within",
	},
	"the kind of an error is lost on the socket": {
		file: "holder/failure.go", from: "within[*locker.BusyError], ", to: "",
		test: "holder TestFailureKeepsTheKind", finds: "it comes out as",
	},
	"another process that has the pid is taken for the run": {
		file: "run/run.go", from: "if err == nil && start != r.Start {", to: "if err == nil && start == 0 {",
		test: "run TestPidOfAnotherProcess", finds: "Alive",
	},
	"who inherits an orphan is taken for its parent": {
		file: "run/run.go", from: "case os.Getppid() != bornTo:\n\t\t// Asked", to: "case os.Getppid() < 0:\n\t\t// Asked",
		test: "run TestPidOfParentTakenByAnother", finds: "ErrEnded|ended",
	},
	"a process is interrupted again with the command above it": {
		file: "run/tree_unix.go", from: "if !slices.ContainsFunc(spared, p.is) {", to: "if p.PID > 0 {",
		test: "run TestInterruptTree", finds: "total",
	},
	"the command begins though its starter has ended": {
		file: "early/gate_unix.go", from: "if err != nil || !whole {", to: "if err != nil && !whole {",
		test: "early TestCommandBeginsWhenItIsToldTo", finds: "it began",
	},
}
