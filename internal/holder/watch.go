package holder

import (
	"cmp"
	"context"
	"encoding/gob"
	"maps"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/run"
)

// SentinelCommand is the argument with which the provider's executable is a
// sentinel process instead.
const SentinelCommand = "watch"

// Watch is the sentinel process. Its standard input ends with its holder, and its
// standard output is read, too: there are notes of which locks the holder holds. It
// returns when the holder has ended in good order. If that ends otherwise while it
// holds locks, Watch tells the run and interrupts it as the holder would have, and
// returns when the run has ended.
func Watch() {
	signal.Ignore(os.Interrupt, syscall.SIGHUP)
	life, notes := os.Stdin, gob.NewDecoder(os.Stdout)
	paused := true
	var (
		r       run.Run
		logPath string
		locks   = make(map[uint64]guarded)
		stops   bool
	)
	for {
		if paused {
			// No more than one: each stands for notes up to a pause.
			_, _ = life.Read(make([]byte, 1))
		}
		var n note
		if err := notes.Decode(&n); err != nil {
			break
		}
		paused = n.Pause
		switch {
		case n.Leave:
			return
		case n.Pause:
		case n.Held != nil:
			locks[n.Held.Number] = *n.Held
		case n.Gone != 0:
			delete(locks, n.Gone)
		case n.Stops:
			stops = true
		default:
			r, logPath = n.Run, n.LogPath
		}
	}
	if len(locks) == 0 && !stops {
		return
	}
	alarm := &alarm{run: r}
	if stops {
		alarm.inherit()
	}
	defer alarm.runEnded()
	if alive, err := r.Alive(); err == nil && !alive {
		return
	}
	log, stopLog := startLog(r, logPath)
	defer stopLog()
	for _, lock := range slices.SortedFunc(maps.Values(locks), func(a, b guarded) int { return cmp.Compare(a.Number, b.Number) }) {
		loss := Loss{LockID: lock.LockID, Znode: lock.Znode, At: time.Now(), Cause: causeEnded}
		alarm.lost(loss, lock.Interrupt)
		logLoss(log, loss, lock.Interrupt)
	}
	_ = r.Wait(context.Background())
}
