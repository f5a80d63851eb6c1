// SPDX-License-Identifier: MPL-2.0

//go:build unix

package chaos

import (
	"bytes"
	"context"
	"sync"
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
	aloneWaiting: waiting, lostWaiting: waiting, deafWaiting: waiting, muteWaiting: waiting, cancelled: waiting,
	cancelRefused: waiting, createThrottled: waiting, createUnknown: waiting,
	cutHolding: holding, movedHolding: holding, aloneHolding: holding, lostHolding: holding, deafHolding: holding,
	muteHolding: holding, checkThrottled: holding, checkUnknown: holding,
	runEnds: holding, runDropped: holding, renewedWaiting: waiting, renewedHolding: holding,
	holderKilled: holding, holderTerminated: holding, holderStopped: holding, terraformKilled: holding,
	cutReleasing: releasing, releaseUnheard: releasing, releaseUnsure: releasing, releaseThrottled: releasing,
	releaseUnknown: releasing, releaseRefused: releasing,
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

// Codes of the server's.
const (
	noAuth    = -102
	throttled = -127
	unknown   = -77 // which nobody knows
)

// answers are the requests that a fault answers in the servers' place, for a while.
var answers = map[fault]struct {
	code  int32
	match func(zktest.Packet) bool
	time  time.Duration
}{
	createThrottled:  {throttled, anything, sessionTimeout / 8},
	createUnknown:    {unknown, creates, sessionTimeout / 20},
	checkThrottled:   {throttled, anything, sessionTimeout / 4},
	checkUnknown:     {unknown, anything, sessionTimeout / 8},
	releaseThrottled: {throttled, anything, sessionTimeout / 8},
	releaseUnknown:   {unknown, deletes, sessionTimeout / 20},
	releaseRefused:   {noAuth, deletes, sessionTimeout / 20},
	cancelRefused:    {noAuth, deletes, sessionTimeout / 4},
}

func anything(p zktest.Packet) bool {
	switch p.Op {
	case zktest.OpCreate, zktest.OpDelete, zktest.OpExists, zktest.OpGetData, zktest.OpSetData, zktest.OpChildren, zktest.OpMulti:
		return true
	default:
		return false
	}
}

func creates(p zktest.Packet) bool { return p.Op == zktest.OpCreate || p.Op == zktest.OpMulti }

func promotes(p zktest.Packet) bool {
	return p.Op == zktest.OpMulti && bytes.Contains(p.Body, []byte(`"durable":true`))
}

// deletes tells a deletion from a promotion, which begins with one.
func deletes(p zktest.Packet) bool {
	first := []byte{0, 0, 0, byte(zktest.OpDelete)}
	return p.Op == zktest.OpDelete || p.Op == zktest.OpMulti && bytes.HasPrefix(p.Body, first) && !promotes(p)
}

// disturbance is a step's fault, which may come to nothing: its moment can be
// over too soon.
type disturbance struct {
	step   step
	actor  *actor
	life   *life
	info   string // of the step's contender
	znode  string // of the same, once it is known
	cancel context.CancelFunc

	disarm  func() // what waits for a request
	leaving chan struct{}
	begun   bool
	running sync.WaitGroup
	over    chan struct{} // closed when what was begun is over
}

// disturb prepares the fault of a step.
func (a *actor) disturb(s step, l *life, info string, cancel context.CancelFunc) *disturbance {
	return &disturbance{
		step: s, actor: a, life: l, info: info, cancel: cancel,
		disarm: func() {}, leaving: make(chan struct{}), over: make(chan struct{}),
	}
}

// moment tells that a part of the step begins.
func (d *disturbance) moment(m moment) {
	f := d.step.fault
	if f == noFault || moments[f] != m {
		return
	}
	d.begun = true
	if trap, ok := traps[f]; ok {
		disarm := d.actor.links.lose(trap.side, trap.match)
		d.disarm = func() {
			if disarm() {
				d.actor.c.fault(f)
			}
		}
		close(d.over)
		return
	}
	if _, ok := answers[f]; ok && f != cancelRefused {
		d.answer(d.znode, func() { close(d.over) })
		return
	}
	d.running.Go(func() {
		defer close(d.over)
		if wait(d.actor.c.ctx, d.step.delay, d.leaving) {
			d.strike()
		}
	})
}

// answer answers requests in the servers' place for a while. That goes on after the
// step. Only deletes of the step's own znode are refused.
func (d *disturbance) answer(znode string, over func()) {
	a := answers[d.step.fault]
	stop := d.actor.links.answer(a.code, func(p zktest.Packet) bool {
		return a.match(p) && (a.code != noAuth || bytes.Contains(p.Body, []byte(znode)))
	})
	d.actor.c.answering.Go(func() {
		wait(context.Background(), a.time, nil)
		if stop() > 0 {
			d.actor.c.fault(d.step.fault)
		}
		over()
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
	switch f {
	case cancelled:
		d.cancel()
		a.c.fault(f)
		return
	case cancelRefused:
		lock := a.c.locks[d.step.lock]
		if name, err := a.c.contender(lock, d.info); err == nil && name != "" {
			d.answer(a.c.space.Path(lock.dir)+"/"+name, func() {})
		}
		d.cancel()
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
		a.links.each((*zktest.Proxy).Cut)
	case renewedWaiting, renewedHolding:
		a.doors.renew()
		a.links.each((*zktest.Proxy).Cut)
	case movedHolding:
		a.links.inUse().refuse(a.c.ctx, sessionTimeout/4)
	case aloneWaiting, aloneHolding:
		a.links.refuse(a.c.ctx, sessionTimeout/4)
	case lostWaiting, lostHolding:
		a.links.refuse(a.c.ctx, sessionTimeout*8/5)
	case deafWaiting, deafHolding:
		a.links.hold(a.c.ctx, zktest.Reply, sessionTimeout*8/5)
	case muteWaiting, muteHolding:
		a.links.hold(a.c.ctx, zktest.Request, sessionTimeout*8/5)
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
