// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// world is a model of locks and of runs that take them, one step at a time.
type world struct {
	r      *rand.Rand
	queues map[string][]claim // by the locks' names
	runs   []*modelRun
	looks  []*modelLook
	zxid   int64
}

// modelRun is a run that takes locks, some of them at the same time, and then ends.
type modelRun struct {
	id       string
	wants    []modelWant // that it has yet to ask for
	parallel int         // how many it waits for at the same time
	failed   bool        // it asks for no more
	optional bool        // it goes on without a lock that would be a deadlock
}

type modelWant struct {
	lock  string
	mode  Mode
	slots int
}

// modelLook is a search for a deadlock. Like the real one it lists one queue after the
// other, and reads the contenders when it has all queues.
type modelLook struct {
	own    claim
	listed map[string][]claim
}

// holding tells whether a contender holds its lock, by the words of DESIGN and not by the code.
func (w *world) holding(own claim) bool {
	before, exclusive := 0, 0
	for _, c := range w.queues[own.dir] {
		if c.entry.Czxid == own.entry.Czxid {
			break
		}
		before++
		if c.entry.Contender.Mode == Exclusive {
			exclusive++
		}
	}
	switch own.entry.Contender.Mode {
	case Exclusive:
		return before == 0
	case Shared:
		return exclusive == 0
	default:
		return before < own.entry.Contender.Slots
	}
}

func (w *world) of(run string) (claims []claim) {
	for _, lock := range slices.Sorted(maps.Keys(w.queues)) {
		for _, c := range w.queues[lock] {
			if c.run == run {
				claims = append(claims, c)
			}
		}
	}
	return claims
}

func (w *world) waits(run string) (n int) {
	for _, c := range w.of(run) {
		if !w.holding(c) {
			n++
		}
	}
	return n
}

func (w *world) remove(gone func(claim) bool) {
	for lock, queue := range w.queues {
		w.queues[lock] = slices.DeleteFunc(slices.Clone(queue), gone)
	}
}

// hopeless tells whether a run waits for ever unless somebody gives up.
func (w *world) hopeless(run string) bool {
	later := &world{queues: maps.Clone(w.queues)}
	for progress := true; progress; {
		progress = false
		for _, r := range w.runs {
			if len(later.of(r.id)) > 0 && later.waits(r.id) == 0 {
				later.remove(func(c claim) bool { return c.run == r.id })
				progress = true
			}
		}
	}
	return len(later.of(run)) > 0
}

// step does something that can happen, and is false when nothing can.
func (w *world) step() (happened bool, alarm *claim) {
	var can []func() *claim
	for _, r := range w.runs {
		switch {
		case !r.failed && len(r.wants) > 0 && w.waits(r.id) < r.parallel:
			can = append(can, func() *claim { w.ask(r); return nil })
		case w.waits(r.id) == 0 && len(w.of(r.id)) > 0:
			can = append(can, func() *claim {
				w.remove(func(c claim) bool { return c.run == r.id })
				return nil
			})
		}
	}
	for _, look := range w.looks {
		can = append(can, func() *claim { return w.goOn(look) })
	}
	if len(can) == 0 {
		return false, nil
	}
	if w.r.IntN(50) == 0 {
		w.timeOut(w.runs[w.r.IntN(len(w.runs))])
	}
	return true, can[w.r.IntN(len(can))]()
}

// timeOut lets a wait of the run end, if it has one.
func (w *world) timeOut(r *modelRun) {
	for _, c := range w.of(r.id) {
		if !w.holding(c) {
			w.giveUp(c)
			return
		}
	}
}

// giveUp removes a contender. Its run goes on with what it has.
func (w *world) giveUp(own claim) {
	w.remove(func(c claim) bool { return c.entry.Czxid == own.entry.Czxid })
	w.looks = slices.DeleteFunc(w.looks, func(l *modelLook) bool { return l.own.entry.Czxid == own.entry.Czxid })
	for _, r := range w.runs {
		r.failed = r.failed || r.id == own.run && !r.optional
	}
}

func (w *world) optional(run string) bool {
	return slices.ContainsFunc(w.runs, func(r *modelRun) bool { return r.id == run && r.optional })
}

func (w *world) ask(r *modelRun) {
	want := r.wants[0]
	r.wants = r.wants[1:]
	w.zxid++
	contender := Contender{Name: fmt.Sprintf("%s-%d", r.id, w.zxid), Sequence: int32(w.zxid), Mode: want.mode, Slots: want.slots} //nolint:gosec // few
	dir := "/" + want.lock
	c := claim{entry: Entry{Contender: contender, Znode: dir + "/" + contender.Name, Czxid: w.zxid}, dir: dir, run: r.id}
	others := len(w.of(r.id))
	w.queues[c.dir] = append(slices.Clone(w.queues[c.dir]), c)
	if others > 0 && !w.holding(c) {
		w.looks = append(w.looks, &modelLook{own: c, listed: map[string][]claim{}})
	}
}

// goOn lists another queue, or ends the look.
func (w *world) goOn(look *modelLook) *claim {
	for lock, queue := range w.queues {
		if _, ok := look.listed[lock]; !ok {
			look.listed[lock] = queue
			return nil
		}
	}
	var seen claims
	for _, lock := range slices.Sorted(maps.Keys(look.listed)) {
		seen = append(seen, look.listed[lock])
	}
	seen = seen.stuck().only(func(c claim) bool {
		return slices.ContainsFunc(w.queues[c.dir], func(now claim) bool { return now.entry.Czxid == c.entry.Czxid })
	})
	var circle []Link
	stuck := false
	if seen.has(look.own) {
		circle, stuck = seen.closedBy(look.own)
	}
	if stuck && len(circle) == 0 {
		look.listed = map[string][]claim{} // and look again
		return nil
	}
	w.looks = slices.DeleteFunc(w.looks, func(other *modelLook) bool { return other == look })
	if len(circle) > 0 {
		return &look.own
	}
	return nil
}

// newWorld has runs that take some of the locks. In order they do so in one order that all
// share, so that there can be no deadlock.
func newWorld(r *rand.Rand, ordered bool) *world {
	w := &world{r: r, queues: map[string][]claim{}}
	kinds := map[string]int{} // slots; 0 for a plain lock
	locks := 2 + r.IntN(4)
	for i := range locks {
		name := string(rune('a' + i))
		w.queues["/"+name] = nil
		if r.IntN(4) == 0 {
			kinds[name] = 1 + r.IntN(3)
		}
	}
	for i := range 2 + r.IntN(4) {
		run := &modelRun{id: fmt.Sprintf("run%d", i), parallel: 1 + r.IntN(3), optional: r.IntN(3) == 0}
		if ordered {
			run.parallel = 1
		}
		for j := range locks {
			name := string(rune('a' + j))
			want := modelWant{name, Exclusive, kinds[name]}
			if want.slots > 0 {
				want.mode = Semaphore
			} else if r.IntN(3) == 0 {
				want.mode = Shared
			}
			if r.IntN(4) > 0 {
				run.wants = append(run.wants, want)
			}
		}
		if !ordered {
			r.Shuffle(len(run.wants), func(i, j int) { run.wants[i], run.wants[j] = run.wants[j], run.wants[i] })
		}
		w.runs = append(w.runs, run)
	}
	return w
}

// In whatever order things happen: who gives up could have waited for ever, and nobody does
// wait for ever.
func TestDeadlocksOfTheModel(t *testing.T) {
	t.Parallel()
	seed := newSeed(t)
	alarms := 0
	for n := range uint64(3000) {
		w := newWorld(seeded(seed, n), n%3 == 0)
		for {
			happened, alarm := w.step()
			if !happened {
				break
			}
			if alarm == nil {
				continue
			}
			alarms++
			if n%3 == 0 || !w.hopeless(alarm.run) {
				t.Fatalf("schedule %d: a false alarm for %s in %v", n, alarm.entry.Contender.Name, w.queues)
			}
			for _, c := range w.of(alarm.run) {
				if !w.holding(c) && (c.entry.Czxid == alarm.entry.Czxid || !w.optional(c.run)) {
					w.giveUp(c)
				}
			}
		}
		for lock, queue := range w.queues {
			if len(queue) > 0 {
				t.Fatalf("schedule %d: %s is waited for for ever: %v", n, lock, w.queues)
			}
		}
	}
	t.Logf("%d alarms", alarms)
	if alarms == 0 {
		t.Error("there was no deadlock at all")
	}
}
