// SPDX-License-Identifier: MPL-2.0

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

// interrupter interrupts the run, at most once, and tells the user why.
type interrupter struct {
	order
	teller *teller
	refuse func(error) // gives the run no more locks; may be nil
	stops  func()      // called once, when the run is interrupted or is about to be; may be nil

	mu       sync.Mutex
	stopping bool      // somebody has interrupted the run
	spared   []run.Run // processes below a command that others have interrupted
	unclaim  func()    // ends the claim; nil if there is none
}

func newInterrupter(o order, log *slog.Logger) *interrupter {
	return &interrupter{order: o, teller: &teller{ways: []way{o.Run.Stderr, o.Run.Terminal}, log: log}}
}

// runStops takes note that somebody has interrupted the run, or a process below its
// command. Neither is interrupted again: a second interrupt ends Terraform at once,
// without its state being written. first says that it had not been interrupted before.
func (i *interrupter) runStops(process *run.Run) (first bool) {
	if !i.isCommand() || process == nil || *process == i.Run {
		return i.first()
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	first = !i.stopping && !slices.Contains(i.spared, *process)
	i.spared = append(i.spared, *process)
	return first
}

// interrupt interrupts the run.
func (i *interrupter) interrupt() error {
	if !i.isCommand() {
		return i.Run.Interrupt()
	}
	i.mu.Lock()
	spared := i.spared
	i.mu.Unlock()
	return i.Run.InterruptTree(spared...)
}

// first takes note that the run is interrupted, and returns whether it had not been
// interrupted before.
func (i *interrupter) first() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.stopping {
		return false
	}
	i.stopping = true
	i.teller.log.Warn("run interrupted")
	if i.stops != nil {
		i.stops()
	}
	return i.claim()
}

// claim lets holder processes of other versions know of the interrupt: a process that
// listens at this address of the run, which is the same in all versions, stands for it.
// It returns false if another process of this user has claimed the interrupt before.
func (i *interrupter) claim() bool {
	if i.Run.ID == "" {
		return true
	}
	address := "clocker-interrupted-" + i.Run.ID
	_, end, err := listen(address)
	if !errors.Is(err, errTaken) {
		i.unclaim = end // nil if that failed
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

// runEnded ends the claim.
func (i *interrupter) runEnded() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.unclaim != nil {
		i.unclaim()
	}
}

// isStopping returns whether the run was interrupted.
func (i *interrupter) isStopping() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.stopping
}

// notes returns, once, the messages that did not reach the user.
func (i *interrupter) notes() []string {
	if i == nil {
		return nil
	}
	notes := i.teller.take()
	for n, note := range notes {
		notes[n] = strings.TrimSpace(note) // the empty lines are for a terminal
	}
	return notes
}

// lost tells the user of a loss, and interrupts the run if asked to: the run stops as
// on Ctrl-C and starts nothing new. Nothing else can stop it, because no provider call
// may follow.
func (i *interrupter) lost(loss Loss, interrupt bool) {
	var to *told
	consequence := "on_lost is \"continue\", so the run goes on unguarded."
	if interrupt || i.isStopping() {
		to, consequence = i.interruptFor(&InterruptedError{loss}, "goes on unguarded")
	}
	i.teller.say(to, fmt.Sprintf("\nclocker: %v. %s\n", &LostError{loss}, consequence))
}

// overdue interrupts the run because it has held a lock for as long as it may. The lock
// stays held until the run has ended.
func (i *interrupter) overdue(o Overdue) {
	why := fmt.Sprintf("lock %q (%s) has been held for max_hold = %d seconds", o.LockID, o.Znode, int64(o.MaxHold.Seconds()))
	to, consequence := i.interruptFor(&InterruptedError{Loss{Znode: o.Znode, At: time.Now(), Cause: why}}, "goes on")
	i.teller.say(to, fmt.Sprintf("\nclocker: %s. %s The lock is held until the run has ended.\n", why, consequence))
}

// interruptFor interrupts the run unless somebody has done so before. consequence is a
// sentence for the user about what happens to the run: it ends in otherwise if the run
// could not be interrupted. to is a way to the user that was open before the interrupt.
func (i *interrupter) interruptFor(why *InterruptedError, otherwise string) (to *told, consequence string) {
	if !i.first() {
		return nil, "This run is stopping already."
	}
	opened := i.teller.prepare()
	if i.refuse != nil {
		i.refuse(why)
	}
	if err := i.interrupt(); err != nil && !errors.Is(err, run.ErrEnded) {
		return &opened, fmt.Sprintf("This run could not be interrupted (%v) and %s.", err, otherwise)
	}
	return &opened, "Interrupting this run."
}
