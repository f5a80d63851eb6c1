// SPDX-License-Identifier: MPL-2.0

//go:build unix

package e2e

import (
	"fmt"
	"slices"
	"syscall"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/testkit"
)

// crash is a signal to one of the processes, or to all, at a moment of a lock's life, and
// what comes of it for each way to hold a lock.
type crash struct {
	victim victim
	signal syscall.Signal
	moment moment
	fates  [3]fate // in the order of the kinds
}

type victim string

const (
	terraform      victim = "Terraform"
	providerVictim victim = "provider"
	holderVictim   victim = "holder"
	sentinelVictim victim = "sentinel"
	// all of them, and the listener: what ends a service, a job or a machine does so.
	everyone victim = "everyone"
)

const (
	ctrlC  = syscall.SIGINT
	term   = syscall.SIGTERM
	kill   = syscall.SIGKILL
	freeze = syscall.SIGSTOP // and, once the process has stopped, SIGCONT
)

type moment string

const (
	// waiting: behind another client's contender.
	waiting moment = "waiting"
	// holding: the guarded work goes on. Where the victim is the provider or the
	// holder, a block that depends on the work keeps the provider process from ending
	// before it, and so the holder of a durable lock, too.
	holding moment = "holding"
	// alone is holding where nothing keeps the provider process, as is usual.
	alone moment = "holding alone"
	// releasing: the request that deletes the contender is on its way from the holder
	// to the server. It arrives after what the signal brings about at once; that of
	// a killed holder does not.
	releasing moment = "releasing"
)

// kind is a way to hold a lock.
type kind string

const (
	runEnds   kind = "run_ends"  // resource, hold_until = "run_ends"
	destroyed kind = "destroyed" // resource, hold_until = "destroyed"
	ephemeral kind = "ephemeral"
)

var kinds = [3]kind{runEnds, destroyed, ephemeral}

// fate is when the lock becomes free, or a contender that waits leaves the queue,
// and how Terraform exits.
type fate struct {
	free   free
	exit   int
	reason string // why there is no such cell
}

const (
	good   = 0
	failed = 1
	killed = -1 // by the signal
)

type free string

const (
	// atOnce: the holder deletes the contender, as the session has yet to time out.
	atOnce free = "at once"
	// atTheEnd: the holder deletes it, but not before Terraform has ended.
	atTheEnd free = "at the run's end"
	// timedOut: nobody deletes it, and the server ends the session.
	timedOut free = "after the session timeout"
	// never: it stays until someone destroys it.
	never free = "never"
	// asEver: as if nothing had happened. What waited keeps its place and gets the
	// lock, the guarded work is done, and the lock is free at the run's end (run_ends),
	// when the block is closed (ephemeral) or destroyed (destroyed).
	asEver free = "as ever"
)

func is(free free, exit int) fate { return fate{free: free, exit: exit} }

// There is no such cell.
var (
	runIsOver    = fate{reason: "Terraform has ended when such a lock is released, and the provider before it"}
	neverIsAlone = fate{reason: "the provider of an ephemeral block lives until that is closed"}
)

// crashes are all of {Terraform, provider, holder, sentinel, everyone} x {SIGINT,
// SIGTERM, SIGKILL, SIGSTOP and SIGCONT} x {waiting, holding, releasing} x {run_ends,
// destroyed, ephemeral}, and the holder alone.
//
// What they come to: SIGINT ends no process but Terraform, and SIGTERM no holder. Who is
// stopped has not ended. What waits is gone with Terraform, the provider or the holder;
// what is held, with Terraform or the holder; what is durable, with none of them. At
// once, unless the holder is killed. An exit is good only if the work was guarded to its
// end, as far as anyone can know.
var crashes = []crash{
	//                                     run_ends              destroyed             ephemeral
	{terraform, ctrlC, waiting, [3]fate{is(atOnce, failed), is(atOnce, failed), is(atOnce, failed)}},
	{terraform, term, waiting, [3]fate{is(atOnce, failed), is(atOnce, failed), is(atOnce, failed)}},
	{terraform, kill, waiting, [3]fate{is(atOnce, killed), is(atOnce, killed), is(atOnce, killed)}},
	{terraform, freeze, waiting, [3]fate{is(asEver, good), is(asEver, good), is(asEver, good)}},
	{providerVictim, ctrlC, waiting, [3]fate{is(asEver, good), is(asEver, good), is(asEver, good)}},
	{providerVictim, term, waiting, [3]fate{is(atOnce, failed), is(atOnce, failed), is(atOnce, failed)}},
	{providerVictim, kill, waiting, [3]fate{is(atOnce, failed), is(atOnce, failed), is(atOnce, failed)}},
	{providerVictim, freeze, waiting, [3]fate{is(asEver, good), is(asEver, good), is(asEver, good)}},
	{holderVictim, ctrlC, waiting, [3]fate{is(asEver, good), is(asEver, good), is(asEver, good)}},
	{holderVictim, term, waiting, [3]fate{is(asEver, good), is(asEver, good), is(asEver, good)}},
	{holderVictim, kill, waiting, [3]fate{is(timedOut, failed), is(timedOut, failed), is(timedOut, failed)}},
	{holderVictim, freeze, waiting, [3]fate{is(asEver, good), is(asEver, good), is(asEver, good)}},

	{terraform, ctrlC, holding, [3]fate{is(atTheEnd, failed), is(never, failed), is(atTheEnd, failed)}},
	{terraform, term, holding, [3]fate{is(atTheEnd, failed), is(never, failed), is(atTheEnd, failed)}},
	{terraform, kill, holding, [3]fate{is(atTheEnd, killed), is(never, killed), is(atTheEnd, killed)}},
	{terraform, freeze, holding, [3]fate{is(asEver, good), is(asEver, good), is(asEver, good)}},
	{providerVictim, ctrlC, holding, [3]fate{is(asEver, good), is(asEver, good), is(asEver, good)}},
	{providerVictim, term, holding, [3]fate{is(atTheEnd, failed), is(never, failed), is(atTheEnd, failed)}},
	{providerVictim, kill, holding, [3]fate{is(atTheEnd, failed), is(never, failed), is(atTheEnd, failed)}},
	{providerVictim, freeze, holding, [3]fate{is(asEver, good), is(asEver, good), is(asEver, good)}},
	{holderVictim, ctrlC, holding, [3]fate{is(asEver, good), is(asEver, good), is(asEver, good)}},
	{holderVictim, term, holding, [3]fate{is(asEver, good), is(asEver, good), is(asEver, good)}},
	{holderVictim, kill, holding, [3]fate{is(timedOut, failed), is(never, good), is(timedOut, failed)}},
	{holderVictim, freeze, holding, [3]fate{is(asEver, good), is(asEver, good), is(asEver, good)}},
	{holderVictim, ctrlC, alone, [3]fate{is(asEver, good), is(asEver, good), neverIsAlone}},
	{holderVictim, term, alone, [3]fate{is(asEver, good), is(asEver, good), neverIsAlone}},
	{holderVictim, kill, alone, [3]fate{is(timedOut, failed), is(never, good), neverIsAlone}},
	{holderVictim, freeze, alone, [3]fate{is(asEver, good), is(asEver, good), neverIsAlone}},

	{terraform, ctrlC, releasing, [3]fate{runIsOver, is(atOnce, failed), is(atOnce, failed)}},
	{terraform, term, releasing, [3]fate{runIsOver, is(atOnce, failed), is(atOnce, failed)}},
	{terraform, kill, releasing, [3]fate{runIsOver, is(atOnce, killed), is(atOnce, killed)}},
	{terraform, freeze, releasing, [3]fate{runIsOver, is(asEver, good), is(asEver, good)}},
	{providerVictim, ctrlC, releasing, [3]fate{runIsOver, is(asEver, good), is(asEver, good)}},
	{providerVictim, term, releasing, [3]fate{runIsOver, is(atOnce, failed), is(atOnce, failed)}},
	{providerVictim, kill, releasing, [3]fate{runIsOver, is(atOnce, failed), is(atOnce, failed)}},
	{providerVictim, freeze, releasing, [3]fate{runIsOver, is(asEver, good), is(asEver, good)}},
	{holderVictim, ctrlC, releasing, [3]fate{is(asEver, good), is(asEver, good), is(asEver, good)}},
	{holderVictim, term, releasing, [3]fate{is(asEver, good), is(asEver, good), is(asEver, good)}},
	{holderVictim, kill, releasing, [3]fate{is(timedOut, good), is(never, failed), is(timedOut, failed)}},
	{holderVictim, freeze, releasing, [3]fate{is(asEver, good), is(asEver, good), is(asEver, good)}},

	{sentinelVictim, ctrlC, waiting, asIfNothing},
	{sentinelVictim, term, waiting, asIfNothing},
	{sentinelVictim, kill, waiting, asIfNothing},
	{sentinelVictim, freeze, waiting, asIfNothing},
	{sentinelVictim, ctrlC, holding, asIfNothing},
	{sentinelVictim, term, holding, asIfNothing},
	{sentinelVictim, kill, holding, asIfNothing},
	{sentinelVictim, freeze, holding, asIfNothing},
	{sentinelVictim, ctrlC, releasing, asIfNothing},
	{sentinelVictim, term, releasing, asIfNothing},
	{sentinelVictim, kill, releasing, asIfNothing},
	{sentinelVictim, freeze, releasing, asIfNothing},

	{everyone, ctrlC, waiting, [3]fate{is(atOnce, failed), is(atOnce, failed), is(atOnce, failed)}},
	{everyone, term, waiting, [3]fate{is(atOnce, failed), is(atOnce, failed), is(atOnce, failed)}},
	{everyone, kill, waiting, [3]fate{is(timedOut, killed), is(timedOut, killed), is(timedOut, killed)}},
	{everyone, freeze, waiting, asIfNothing},
	{everyone, ctrlC, holding, [3]fate{is(atTheEnd, failed), is(never, failed), is(atTheEnd, failed)}},
	{everyone, term, holding, [3]fate{is(atTheEnd, failed), is(never, failed), is(atTheEnd, failed)}},
	{everyone, kill, holding, [3]fate{is(timedOut, killed), is(never, killed), is(timedOut, killed)}},
	{everyone, freeze, holding, asIfNothing},
	{everyone, ctrlC, releasing, [3]fate{runIsOver, is(atOnce, failed), is(atOnce, failed)}},
	{everyone, term, releasing, [3]fate{runIsOver, is(atOnce, failed), is(atOnce, failed)}},
	{everyone, kill, releasing, [3]fate{runIsOver, is(never, killed), is(timedOut, killed)}},
	{everyone, freeze, releasing, [3]fate{runIsOver, is(asEver, good), is(asEver, good)}},
}

// asIfNothing had happened.
var asIfNothing = [3]fate{is(asEver, good), is(asEver, good), is(asEver, good)}

// interrupts is how often Terraform is interrupted: by the signal, if it is one that
// Terraform hears, or by us because a lock is lost.
func (c crash) interrupts(kind kind) int {
	hears := (c.victim == terraform || c.victim == everyone) && (c.signal == ctrlC || c.signal == term)
	loses := c.victim == holderVictim && c.signal == syscall.SIGKILL && (c.moment == holding || c.moment == alone) && kind != destroyed
	if hears || loses {
		return 1
	}
	return 0
}

// Whichever process gets whichever signal at whatever moment, the lock is free when
// the table says, and neither a process nor a contender nor a directory stays.
func TestCrash(t *testing.T) {
	t.Parallel()
	testkit.Needs(t, testkit.EphemeralBlocks)
	for i, kind := range kinds {
		for _, cells := range runsOf(i) {
			first := cells[0]
			name := fmt.Sprint(first.victim)
			for _, c := range cells {
				name += fmt.Sprint(" ", c.signal)
			}
			t.Run(fmt.Sprintf("%s %s %s", name, first.moment, kind), func(t *testing.T) {
				t.Parallel()
				r := newCrashing(t, first, kind, first.fates[i])
				r.begin()
				for _, c := range cells {
					r.crash = c
					r.strike()
				}
				r.settle()
				r.end()
			})
		}
	}
}

// runsOf are the cells of a kind, those together that one run can show: the signals to the
// same process at the same moment that change nothing come one after the other, and what
// ends the process comes last.
func runsOf(kind int) [][]crash {
	var runs [][]crash
	for _, c := range crashes {
		if c.fates[kind].reason != "" {
			continue
		}
		i := slices.IndexFunc(runs, func(cells []crash) bool {
			return cells[0].victim == c.victim && cells[0].moment == c.moment && cells[0].fates[kind].free == asEver && c.fates[kind].free == asEver
		})
		if i < 0 {
			runs = append(runs, []crash{c})
		} else {
			runs[i] = append(runs[i], c)
		}
	}
	for _, cells := range runs {
		slices.SortStableFunc(cells, func(a, b crash) int {
			switch {
			case a.signal != kill && b.signal == kill:
				return -1
			case a.signal == kill && b.signal != kill:
				return 1
			}
			return 0
		})
	}
	return runs
}

// The table has each cell once.
func TestCrashesAreComplete(t *testing.T) {
	t.Parallel()
	cells := map[string]int{}
	for _, c := range crashes {
		for i, kind := range kinds {
			if (c.fates[i].free == "") == (c.fates[i].reason == "") {
				t.Errorf("%v %s: %+v", c, kind, c.fates[i])
			}
		}
		cells[fmt.Sprint(c.victim, c.signal, c.moment)]++
	}
	for _, victim := range []victim{terraform, providerVictim, holderVictim, sentinelVictim, everyone} {
		for _, signal := range []syscall.Signal{ctrlC, term, kill, freeze} {
			for _, moment := range []moment{waiting, holding, releasing} {
				if n := cells[fmt.Sprint(victim, signal, moment)]; n != 1 {
					t.Errorf("%s %v %s is there %d times", victim, signal, moment, n)
				}
			}
		}
	}
}
