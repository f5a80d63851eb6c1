// SPDX-License-Identifier: MPL-2.0

//go:build unix

package chaos

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/holder"
	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// Why holds end.
const (
	endedByRelease = "released"
	endedByLoss    = "lost"
	endedByRun     = "the run ended"
)

// actor is one run after the other, with links of its own to the servers.
type actor struct {
	c     *chaos
	name  string
	begin func(*actor) *life
	links links
	doors *doors     // before the links, if it speaks TLS
	calm  sync.Mutex // held while its connection or its process is disturbed

	mu   sync.Mutex
	life *life

	taking sync.Map // the locks that one of its workers has or waits for
}

// life is one run.
type life struct {
	holder interface {
		holder.Holder
		Close() error
	}
	process *processRun // whose holder is a process of its own

	shaken atomic.Bool // its holder was made to end, so that requests may fail

	mu    sync.Mutex
	ended bool
	holds map[string]*hold // that end with it, by znode
	lost  map[string]bool  // znodes said to be lost
}

func newLife() *life { return &life{holds: map[string]*hold{}, lost: map[string]bool{}} }

func newActor(c *chaos, name string, begin func(*actor) *life) *actor {
	a := &actor{c: c, name: name, begin: begin, links: newLinks(c)}
	a.life = begin(a)
	return a
}

// ensemble is how the actor reaches the servers.
func (a *actor) ensemble() zookeeper.Config {
	if a.doors == nil {
		return a.c.ensemble(a.links.addrs())
	}
	cfg := a.c.ensemble(a.doors.addrs)
	cfg.TLS = &a.doors.files
	return cfg
}

func (a *actor) current() *life {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.life
}

// enter begins a hold, unless it is over already: its loss may have come first,
// or the end of its run.
func (l *life) enter(h *hold, znode string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended || l.lost[znode] {
		return false
	}
	l.holds[znode] = h
	h.lock.witness.enter(h)
	return true
}

// lose is told by the holder.
func (l *life) lose(znode string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost[znode] = true
	if h := l.holds[znode]; h != nil {
		h.lock.witness.leave(h, endedByLoss)
	}
}

// end ends all that is held, because the run ends: what it guards is done.
func (l *life) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	l.leave()
}

func (l *life) leave() {
	for _, h := range l.holds {
		h.lock.witness.leave(h, endedByRun)
	}
}

// next ends the present life and begins another, for which the workers wait.
func (a *actor) next(old *life, dropped bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	old.end()
	old.shaken.Store(true)
	if dropped {
		a.links.each((*zktest.Proxy).Refuse)
	}
	err := old.holder.Close()
	if lost := (*holder.LostError)(nil); err != nil && !dropped && !errors.As(err, &lost) && !errors.Is(err, context.DeadlineExceeded) {
		a.c.report("%s: close: %v", a.name, err)
	}
	if old.process != nil {
		old.process.kill()
	}
	if dropped {
		a.links.each((*zktest.Proxy).Accept)
	}
	a.life = a.begin(a)
}

// step takes a lock, holds it and lets it go.
func (a *actor) step(s step) {
	life := a.current()
	lock := a.c.locks[s.lock]
	if _, taken := a.taking.LoadOrStore(lock, true); taken {
		a.c.count("taken by the same run") // which would have it at once
		return
	}
	defer a.taking.Delete(lock)
	ctx, cancel := context.WithCancel(a.c.ctx)
	defer cancel()
	info := fmt.Sprintf("step %d", a.c.steps.Add(1))
	fault := a.disturb(s, life, info, cancel)
	defer fault.stop()

	fault.moment(waiting)
	grant, err := life.holder.Acquire(ctx, holder.Request{
		Ensemble: a.ensemble(),
		Lock: locker.Request{
			LockID: lock.id, Dir: a.c.space.Path(lock.dir), Wait: s.wait, Slots: lock.slots, Durable: s.durable,
			Mode: map[bool]locker.Mode{true: s.mode}[lock.slots == 0],
			Data: locker.Data{Owner: a.name, Info: info},
		},
	})
	if err != nil {
		a.refused(s, life, err)
		a.gone(lock, info)
		return
	}
	a.c.acquired()
	fault.znode = grant.Znode
	h := &hold{lock: lock, who: a.name, mode: s.mode, token: grant.Token, begin: time.Now()}
	if s.durable {
		lock.witness.enter(h)
	} else if !life.enter(h, grant.Znode) {
		a.release(life, grant, s, h)
		return
	}
	fault.moment(holding)
	a.hold(h, s.hold, fault)
	fault.moment(releasing)
	lock.witness.leave(h, endedByRelease)
	a.c.history.add(h)
	a.release(life, grant, s, h)
}

// hold writes until it is time to go, and what was to go wrong has, or until the
// lock is lost.
func (a *actor) hold(h *hold, d time.Duration, fault *disturbance) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	over := false
	for h.lock.witness.write(h) {
		if over && fault.done() {
			return
		}
		select {
		case <-timer.C:
			over = true
		case <-tick.C:
		}
	}
	fault.wait()
}

// release lets go until that is confirmed.
func (a *actor) release(l *life, grant holder.Grant, s step, h *hold) {
	znode := holder.Znode{Ensemble: a.ensemble(), Path: grant.Znode, Grant: grant.ID, Durable: s.durable}
	for {
		err := l.holder.Release(context.WithoutCancel(a.c.ctx), znode)
		lost := (*holder.LostError)(nil)
		left := (*locker.LeftError)(nil)
		switch {
		case err == nil:
			return
		case errors.As(err, &left) && (s.fault == releaseRefused || s.fault == cancelRefused): // cancelled too late
			a.c.count("left by a server that refused to delete it, and named")
			wait(context.Background(), restTime, nil)
		case errors.As(err, &lost) && !s.durable:
			a.c.count("lost")
			return
		case l.shaken.Load() && !s.durable:
			return
		case l.shaken.Load() && (errors.Is(err, holder.ErrEnded) || errors.Is(err, zookeeper.ErrClosed)):
			l = a.current() // any run can release what is durable
		default:
			a.c.report("%s: release %v: %v", a.name, h, err)
			return
		}
	}
}
