package holder

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/run"
)

// alarm tells the run that a lock was lost, and interrupts it once.
type alarm struct {
	order
	teller *teller
	refuse func(error) // gives the run no more locks; may be nil
	stops  func()      // is called before the run is interrupted, and when it was; may be nil

	mu       sync.Mutex
	stopping bool      // the run was interrupted, by this process or another
	spared   []run.Run // processes below a command that were interrupted by others
	unclaim  func()    // nil: there is no claim
}

func newAlarm(o order, log *slog.Logger) *alarm {
	return &alarm{order: o, teller: &teller{ways: []way{o.Run.Stderr, o.Run.Terminal}, log: log}}
}

// runStops takes note that the run has been interrupted, or, of a command, a process
// below it: that is not interrupted again, which would end Terraform at once, its
// state unwritten. It tells whether it was the first time.
func (a *alarm) runStops(process *run.Run) (first bool) {
	if !a.isCommand() || process == nil || *process == a.Run {
		return a.first()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	first = !a.stopping && !slices.Contains(a.spared, *process)
	a.spared = append(a.spared, *process)
	return first
}

// interrupt interrupts the run.
func (a *alarm) interrupt() error {
	if !a.isCommand() {
		return a.Run.Interrupt()
	}
	a.mu.Lock()
	spared := a.spared
	a.mu.Unlock()
	return a.Run.InterruptTree(spared...)
}

// first tells whether the run had not been interrupted before.
func (a *alarm) first() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stopping {
		return false
	}
	a.stopping = true
	a.teller.log.Warn("run interrupted")
	if a.stops != nil {
		a.stops()
	}
	return a.claim()
}

// claim takes note of the interrupt where a holder of another version sees it: a
// process that listens at an address of the run, whatever the version, stands for an
// interrupt. It tells whether nobody of this user has done so before.
func (a *alarm) claim() bool {
	if a.Run.ID == "" {
		return true
	}
	address := "clocker-interrupted-" + a.Run.ID
	_, end, err := listen(address)
	if !errors.Is(err, errTaken) {
		a.unclaim = end // nil where that could not be done
		return true
	}
	conn, err := dial(address, helloTime)
	if err != nil {
		return true
	}
	defer func() { _ = conn.Close() }()
	owner, err := peerOf(conn)
	return err != nil || owner != os.Geteuid()
}

// runEnded forgets the claim.
func (a *alarm) runEnded() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.unclaim != nil {
		a.unclaim()
	}
}

// isStopping tells whether the run was interrupted.
func (a *alarm) isStopping() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.stopping
}

// notes are what the user could not be told.
func (a *alarm) notes() []string {
	if a == nil {
		return nil
	}
	notes := a.teller.take()
	for i, note := range notes {
		notes[i] = strings.TrimSpace(note) // without what sets it off on a terminal
	}
	return notes
}

// lost interrupts the run, once, if that is asked for, and says so: it stops as on
// Ctrl-C and starts nothing new. Nothing else could stop it: no provider call
// follows, and an error from Renew would not.
func (a *alarm) lost(loss Loss, interrupt bool) {
	var to *told
	consequence := "on_lost is \"continue\", so the run goes on unguarded."
	if interrupt || a.isStopping() {
		to, consequence = a.interruptFor(&InterruptedError{loss}, "goes on unguarded")
	}
	a.teller.say(to, fmt.Sprintf("\nclocker: %v. %s\n", &LostError{loss}, consequence))
}

// overdue interrupts the run in the same way, because it has held a lock for as long as
// it may. The lock stays held until it has ended.
func (a *alarm) overdue(o Overdue) {
	why := fmt.Sprintf("lock %q (%s) has been held for max_hold = %d seconds", o.LockID, o.Znode, int64(o.MaxHold.Seconds()))
	to, consequence := a.interruptFor(&InterruptedError{Loss{Znode: o.Znode, At: time.Now(), Cause: why}}, "goes on")
	a.teller.say(to, fmt.Sprintf("\nclocker: %s. %s The lock is held until the run has ended.\n", why, consequence))
}

// interruptFor interrupts the run unless that was done before, and says in a sentence what
// has become of it. to is a way to tell the user that was opened before.
func (a *alarm) interruptFor(why *InterruptedError, otherwise string) (to *told, consequence string) {
	if !a.first() {
		return nil, "This run is stopping already."
	}
	opened := a.teller.prepare()
	if a.refuse != nil {
		a.refuse(why)
	}
	if err := a.interrupt(); err != nil && !errors.Is(err, run.ErrEnded) {
		return &opened, fmt.Sprintf("This run could not be interrupted (%v) and %s.", err, otherwise)
	}
	return &opened, "Interrupting this run."
}
