//go:build unix

package chaos

import (
	"bytes"
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// moment is a part of a step.
type moment int

const (
	waiting moment = iota
	holding
	releasing
)

// moments says when a fault begins.
var moments = map[fault]moment{
	cutWaiting: waiting, createUnheard: waiting, createUnsure: waiting, promotionUnsure: waiting,
	aloneWaiting: waiting, lostWaiting: waiting, cancelled: waiting,
	cutHolding: holding, aloneHolding: holding, lostHolding: holding,
	runEnds: holding, runDropped: holding,
	holderKilled: holding, holderTerminated: holding, holderStopped: holding, terraformKilled: holding,
	cutReleasing: releasing, releaseUnheard: releasing, releaseUnsure: releasing,
}

// traps are the packets that a fault loses.
var traps = map[fault]struct {
	side  zktest.Side
	match func(zktest.Packet) bool
}{
	createUnheard:   {zktest.Request, creates},
	createUnsure:    {zktest.Reply, creates},
	promotionUnsure: {zktest.Reply, promotes},
	releaseUnheard:  {zktest.Request, deletes},
	releaseUnsure:   {zktest.Reply, deletes},
}

func creates(p zktest.Packet) bool { return p.Op == zktest.OpCreate || p.Op == zktest.OpMulti }
func deletes(p zktest.Packet) bool { return p.Op == zktest.OpDelete || p.Op == zktest.OpMulti }
func promotes(p zktest.Packet) bool {
	return p.Op == zktest.OpMulti && bytes.Contains(p.Body, []byte(`"durable":true`))
}

// disturbance is a step's fault, which may come to nothing: its moment can be
// over too soon.
type disturbance struct {
	step   step
	actor  *actor
	life   *life
	cancel context.CancelFunc

	disarm  func() // a trap
	leaving chan struct{}
	begun   bool
	running sync.WaitGroup
	over    chan struct{} // closed when what was begun is over
}

// disturb prepares the fault of a step.
func (a *actor) disturb(s step, l *life, cancel context.CancelFunc) *disturbance {
	return &disturbance{step: s, actor: a, life: l, cancel: cancel, disarm: func() {}, leaving: make(chan struct{}), over: make(chan struct{})}
}

// moment tells that a part of the step begins.
func (d *disturbance) moment(m moment) {
	if d.step.fault == noFault || moments[d.step.fault] != m {
		return
	}
	d.begun = true
	if trap, ok := traps[d.step.fault]; ok {
		var armed atomic.Bool
		armed.Store(true)
		caught := d.actor.proxy.Catch(trap.side, func(p zktest.Packet) bool { return armed.Load() && trap.match(p) })
		caught.Lose()
		d.disarm = func() {
			armed.Store(false)
			select {
			case <-caught.Hit():
				d.actor.c.fault(d.step.fault)
			default:
			}
		}
		close(d.over)
		return
	}
	d.running.Go(func() {
		defer close(d.over)
		if wait(d.actor.c.ctx, d.step.delay, d.leaving) {
			d.strike()
		}
	})
}

// done tells whether a hold may end as far as the fault is concerned.
func (d *disturbance) done() bool {
	if !d.begun || moments[d.step.fault] != holding {
		return true
	}
	select {
	case <-d.over:
		return true
	default:
		return false
	}
}

// wait is for the end of a fault that began while the lock was held.
func (d *disturbance) wait() {
	if d.begun && moments[d.step.fault] == holding {
		<-d.over
	}
}

// stop ends the step. A fault that has begun goes on.
func (d *disturbance) stop() {
	close(d.leaving)
	d.disarm()
	d.running.Wait()
}

// strike does it.
func (d *disturbance) strike() {
	a, f := d.actor, d.step.fault
	if f == cancelled {
		d.cancel()
		a.c.fault(f)
		return
	}
	if !a.calm.TryLock() {
		return // it is disturbed already
	}
	defer a.calm.Unlock()
	if a.current() != d.life {
		return
	}
	a.c.fault(f)
	switch f {
	case cutWaiting, cutHolding, cutReleasing:
		a.proxy.Cut()
	case aloneWaiting, aloneHolding:
		d.alone(sessionTimeout / 4)
	case lostWaiting, lostHolding:
		d.alone(sessionTimeout * 8 / 5)
	case runEnds, terraformKilled:
		a.next(d.life, false)
	case runDropped:
		a.next(d.life, true)
	case holderKilled:
		d.life.process.killHolder(a)
		// The run is told of what it has lost, and gets no more locks.
		wait(a.c.ctx, sessionTimeout/4, nil)
		a.next(d.life, false)
	case holderTerminated:
		d.life.process.terminateHolder(a)
	case holderStopped:
		d.life.process.stopHolder(a)
	}
}

// alone is without a connection for a while.
func (d *disturbance) alone(t time.Duration) {
	d.actor.proxy.Refuse()
	wait(d.actor.c.ctx, t, nil)
	d.actor.proxy.Accept()
}

// wait waits for so long; false if there was cause to leave before.
func wait(ctx context.Context, d time.Duration, leaving <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-leaving:
	case <-ctx.Done():
	}
	return false
}
