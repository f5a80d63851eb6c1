// SPDX-License-Identifier: MPL-2.0

package holder

import (
	"bytes"
	"cmp"
	"encoding/gob"
	"io"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/early"
)

// watch is the sentinel process after it has waited in [early]. It returns if the holder
// process has ended in good order. If that was killed while it held locks or the run
// stopped, the sentinel tells the run, interrupts it as the holder process would have,
// and answers in its place until the run has ended.
func watch() {
	o, locks, stops, killed := readNotes()
	if !killed || len(locks) == 0 && !stops {
		return
	}
	log, stopLog := startLog(o.Run, o.LogPath)
	defer stopLog()
	interrupter := newInterrupter(o, log)
	defer interrupter.runEnded()
	if stops {
		interrupter.runStops(nil)
	}
	if alive, err := o.Run.Alive(); err == nil && !alive {
		return
	}
	answers := refusing{why: Loss{At: time.Now(), Cause: "the process that holds this run's locks was killed"}}
	for _, lock := range slices.SortedFunc(maps.Values(locks), func(a, b guarded) int { return cmp.Compare(a.Number, b.Number) }) {
		loss := Loss{LockID: lock.LockID, Znode: lock.Znode, At: time.Now(), Cause: causeEnded}
		answers.losses = append(answers.losses, loss)
		interrupter.lost(loss, lock.Interrupt)
		logLoss(log, loss, lock.Interrupt)
	}
	if len(answers.losses) > 0 {
		answers.why = answers.losses[0]
	}
	server := newServer(o.Run.ID, answers, interrupter, log)
	if listener, end, err := takeOver(o.Address); err == nil {
		defer end()
		go server.accept(listener)
	}
	o.wait()
}

// readNotes returns what the holder process has noted when it has ended. killed says
// that it did not end in good order. The notes are in the standard output, which is the
// reading end of a pipe.
func readNotes() (o order, locks map[uint64]guarded, stops, killed bool) {
	life := io.MultiReader(bytes.NewReader(early.Heard), os.Stdin)
	notes := gob.NewDecoder(os.Stdout)
	locks = make(map[uint64]guarded)
	for word := make([]byte, 1); ; {
		if _, err := life.Read(word); err == nil && word[0] == early.Leave {
			return o, locks, stops, false
		}
		// Notes up to a pause, or all that are left.
		for paused := false; !paused; {
			var n note
			if err := notes.Decode(&n); err != nil {
				return o, locks, stops, true
			}
			paused = n.Pause
			switch {
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
}
