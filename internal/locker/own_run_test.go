package locker

import (
	"errors"
	"testing"
)

// What a run asks for while contenders of its own stand before it: it waits for
// others, and is refused at once where it would wait for itself.
func TestOwnRunBesideOthers(t *testing.T) {
	t.Parallel()
	const (
		own     = true
		foreign = false

		getsIn = -1 // at once
		waits  = -2 // and gets in when the foreign ones have left
	)
	type entry struct {
		own  bool
		want Request
	}
	for name, test := range map[string]struct {
		queue []entry
		comes Request
		ends  int // else refused, because of this one of the queue
	}{
		"two readers":                      {[]entry{{own, shared}}, shared, getsIn},
		"two readers beside another":       {[]entry{{foreign, shared}, {own, shared}}, shared, getsIn},
		"writer after reader":              {[]entry{{own, shared}}, exclusive, 0},
		"writer after two readers":         {[]entry{{foreign, shared}, {own, shared}}, exclusive, 1},
		"writer after waiting reader":      {[]entry{{foreign, exclusive}, {own, shared}}, exclusive, 1},
		"reader after writer":              {[]entry{{own, exclusive}}, shared, 0},
		"reader after waiting writer":      {[]entry{{foreign, shared}, {own, exclusive}}, shared, 1},
		"writer after writer":              {[]entry{{own, exclusive}}, exclusive, 0},
		"reader after waiting reader":      {[]entry{{foreign, exclusive}, {own, shared}}, shared, waits},
		"reader behind one's own victim":   {[]entry{{own, shared}, {foreign, exclusive}}, shared, 0},
		"reader behind a writer of others": {[]entry{{foreign, shared}, {foreign, exclusive}}, shared, waits},
		"durable writer":                   {[]entry{{own, durable(exclusive)}}, durable(exclusive), 0},
		"durable readers":                  {[]entry{{own, durable(shared)}}, durable(shared), getsIn},

		"a second slot":                      {[]entry{{own, semaphore(2)}}, semaphore(2), getsIn},
		"a third of two slots":               {[]entry{{own, semaphore(2)}, {own, semaphore(2)}}, semaphore(2), 1},
		"the only slot again":                {[]entry{{own, semaphore(1)}}, semaphore(1), 0},
		"a slot that another will leave":     {[]entry{{own, semaphore(2)}, {foreign, semaphore(2)}}, semaphore(2), waits},
		"slots that others will leave":       {[]entry{{foreign, semaphore(2)}, {foreign, semaphore(2)}, {own, semaphore(2)}}, semaphore(2), waits},
		"both slots, one of them waited for": {[]entry{{own, semaphore(2)}, {foreign, semaphore(2)}, {own, semaphore(2)}}, semaphore(2), 2},
		"both slots, durable":                {[]entry{{own, durable(semaphore(2))}, {own, durable(semaphore(2))}}, semaphore(2), 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newArena(t)
			me := a.player()
			var queue []*pending
			var names []string
			for i, e := range test.queue {
				who := a.player()
				if e.own {
					who = me
				}
				queue = append(queue, who.start(who.wanting(e.want)))
				a.WaitChildren(testDir, i+1)
				entries := a.inspect(e.want.Slots)
				names = append(names, append(entries.Holders, entries.Waiters...)[i].Name)
			}
			comes := me.start(me.wanting(test.comes))
			switch test.ends {
			case getsIn:
				a.give(comes.get())
			case waits:
				comes.looks()
				comes.blocked()
			default:
				var own *OwnRunError
				if err := comes.refused(); !errors.As(err, &own) || own.Other.Name != names[test.ends] {
					t.Errorf("it ends with %v, want an OwnRunError about %s", err, names[test.ends])
				}
			}
			var mine []*Lock
			for i, e := range test.queue {
				if lock := queue[i].get(); e.own && test.ends == waits {
					mine = append(mine, lock)
				} else {
					a.give(lock)
				}
			}
			if test.ends == waits {
				a.give(comes.get())
			}
			a.give(mine...)
		})
	}
}
