package holder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/run"
)

// wordTime bounds the writing to Terraform's standard error, which blocks where
// nobody reads that.
const wordTime = time.Second

// alarm tells the run that a lock was lost.
type alarm struct {
	run       run.Run
	interrupt sync.Once
	stopping  atomic.Bool // the run has been interrupted by someone else

	mu      sync.Mutex
	claimed string // file that tells the other holders
}

// runStops takes note that the run has been interrupted: nobody may do so again.
func (a *alarm) runStops() {
	a.stopping.Store(true)
	a.interrupt.Do(func() { a.claim() })
}

// rung tells whether this alarm has kept others from interrupting the run.
func (a *alarm) rung() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.claimed != ""
}

// lost says so on Terraform's standard error, and interrupts Terraform, once, if
// that was asked for: it stops as on Ctrl-C and starts nothing new. Nothing else
// could stop it: no provider call follows, and an error from Renew would not.
func (a *alarm) lost(loss Loss, interrupt bool) {
	consequence := "on_lost is \"continue\", so the run goes on unguarded."
	switch {
	case a.stopping.Load():
		consequence = "This run is stopping already."
	case interrupt:
		consequence = "Interrupting this run."
	}
	a.say(fmt.Sprintf("\nclocker: %v. %s\n", &LostError{loss}, consequence))
	if !interrupt {
		return
	}
	a.interrupt.Do(func() {
		if !a.claim() {
			return
		}
		if err := a.run.Interrupt(); err != nil && !errors.Is(err, run.ErrEnded) {
			a.say(fmt.Sprintf("clocker: this run could not be interrupted (%v) and goes on unguarded.\n", err))
		}
	})
}

// claim tells whether this run has yet to be interrupted, and takes that upon us.
// A run has a holder for each of its provider configurations, and all of them lose
// their locks when ZooKeeper is away, but a second interrupt ends Terraform at
// once, its state unwritten. Where no file can be made we interrupt all the same.
func (a *alarm) claim() bool {
	name, err := a.claimFile()
	if err != nil {
		return true
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return true
	}
	file, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // a run id is hexadecimal: see admit
	if err != nil {
		return !errors.Is(err, fs.ErrExist)
	}
	_ = file.Close()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.claimed = name
	return true
}

// claimFile is the same for all holders of a run.
func (a *alarm) claimFile() (string, error) {
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, "clocker", "interrupted-"+a.run.ID), err
}

// inherit takes over from a holder that had interrupted the run, or had been told
// that it was interrupted.
func (a *alarm) inherit() {
	a.runStops()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.claimed, _ = a.claimFile()
}

// runEnded forgets the claim: there is no run to interrupt any more.
func (a *alarm) runEnded() {
	a.interrupt.Do(func() {})
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.claimed != "" {
		_ = os.Remove(a.claimed)
		a.claimed = ""
	}
}

// say writes one message to the run's standard error. Where that is not to be
// had there is nobody to tell.
func (a *alarm) say(message string) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		stderr, err := a.run.Stderr()
		if err != nil {
			return
		}
		_, _ = stderr.Write([]byte(message))
		_ = stderr.Close()
	}()
	timer := time.NewTimer(wordTime)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}
