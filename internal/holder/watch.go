package holder

import (
	"cmp"
	"encoding/gob"
	"maps"
	"os"
	"slices"
	"time"
)

// watch is the sentinel process. Its standard input ends with its holder, and its
// standard output is read, too: there are notes of which locks the holder holds. It
// returns when the holder has ended in good order. If that ends otherwise while it
// holds locks or the run stops, the sentinel tells the run and interrupts it as the
// holder would have, and answers in its place until the run has ended.
func watch() {
	ignoreSignals()
	o, locks, stops, killed := readNotes()
	if !killed || len(locks) == 0 && !stops {
		return
	}
	log, stopLog := startLog(o.Run, o.LogPath)
	defer stopLog()
	alarm := newAlarm(o, log)
	defer alarm.runEnded()
	if stops {
		alarm.runStops(nil)
	}
	if alive, err := o.Run.Alive(); err == nil && !alive {
		return
	}
	answers := refusing{why: Loss{At: time.Now(), Cause: "the process that holds this run's locks was killed"}}
	for _, lock := range slices.SortedFunc(maps.Values(locks), func(a, b guarded) int { return cmp.Compare(a.Number, b.Number) }) {
		loss := Loss{LockID: lock.LockID, Znode: lock.Znode, At: time.Now(), Cause: causeEnded}
		answers.losses = append(answers.losses, loss)
		alarm.lost(loss, lock.Interrupt)
		logLoss(log, loss, lock.Interrupt)
	}
	if len(answers.losses) > 0 {
		answers.why = answers.losses[0]
	}
	server := newServer(o.Run.ID, answers, alarm, log)
	if listener, end, err := takeOver(o.Address); err == nil {
		defer end()
		go server.accept(listener)
	}
	o.wait()
}

// readNotes returns what the holder has noted when it has ended. killed says that
// it did not say so before.
func readNotes() (o order, locks map[uint64]guarded, stops, killed bool) {
	life, notes := os.Stdin, gob.NewDecoder(os.Stdout)
	locks = make(map[uint64]guarded)
	for paused := true; ; {
		if paused {
			// No more than one: each stands for notes up to a pause.
			_, _ = life.Read(make([]byte, 1))
		}
		var n note
		if err := notes.Decode(&n); err != nil {
			return o, locks, stops, true
		}
		paused = n.Pause
		switch {
		case n.Leave:
			return o, locks, stops, false
		case n.Order != nil:
			o = *n.Order
		case n.Held != nil:
			locks[n.Held.Number] = *n.Held
		case n.Gone != 0:
			delete(locks, n.Gone)
		case n.Stops:
			stops = true
		}
	}
}
