// SPDX-License-Identifier: MPL-2.0

package zktest

import (
	"sync"
	"time"
)

// gate stands in one direction of a connection: it lets things pass, late, or not at all.
type gate struct {
	mu   sync.Mutex
	held chan struct{} // closed by release; nil while things pass
	lag  time.Duration
}

// hold stops everything until release.
func (g *gate) hold() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.held == nil {
		g.held = make(chan struct{})
	}
}

// slow lets everything pass so much later, until release.
func (g *gate) slow(lag time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.lag = lag
}

// release ends hold and slow.
func (g *gate) release() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.lag = 0
	if g.held != nil {
		close(g.held)
		g.held = nil
	}
}

// delays tells whether things pass late.
func (g *gate) delays() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.lag > 0
}

// due is when something that comes now may pass.
func (g *gate) due() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return time.Now().Add(g.lag)
}

// pass waits until something may pass that is due then. It returns false where ended
// is closed before.
func (g *gate) pass(due time.Time, ended <-chan struct{}) bool {
	if wait := time.Until(due); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ended:
			return false
		}
	}
	for {
		g.mu.Lock()
		held := g.held
		g.mu.Unlock()
		if held == nil {
			return true
		}
		select {
		case <-held:
		case <-ended:
			return false
		}
	}
}
