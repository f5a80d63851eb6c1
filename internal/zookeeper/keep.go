// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// checksInTimeout is how many times in a session timeout a quorum is asked for the
	// znodes that are kept. With so many, the lease lasts for three quarters of the
	// timeout after the last answer: see lease.
	checksInTimeout = 4
	// checked is how many znodes are asked for in one transaction, whose size is limited.
	checked = 1000
	// unwatched is how long a znode is kept before it is watched. If it is deleted soon,
	// that saves a request.
	unwatched = 10 * time.Millisecond
)

// Keep looks after an ephemeral znode of this session. The znode is lost when the server
// says that it is gone or belongs to another session, when the session has ended, or when
// the lease is over ([ErrSilence]). watch is a watch over the znode that has not fired yet;
// nil if there is none.
func (s *Session) Keep(path string, watch *Watch) *Kept {
	k := &Kept{path: path, session: s}
	k.life, k.lose = context.WithCancelCause(context.Background())
	k.ctx, k.end = context.WithCancel(s.life)
	s.kept.add(s, k)
	go k.watch(watch)
	return k
}

// Lost is closed when the znode may be gone, unless [Kept.Stop] was called before.
func (k *Kept) Lost() <-chan struct{} { return k.life.Done() }

// OnLost calls f, in its own goroutine, when Lost is closed. stop prevents that. It returns
// false if f was called already, or stop was.
func (k *Kept) OnLost(f func()) (stop func() bool) { return context.AfterFunc(k.life, f) }

// Err is nil before Lost is closed, and then the reason: [ErrNoNode], [ErrSilence] or the
// session's end.
func (k *Kept) Err() error { return context.Cause(k.life) }

// Stop ends the looking after: Lost is not closed from then on.
func (k *Kept) Stop() {
	k.done.Do(func() {})
	k.leave()
}

func (k *Kept) isLost(cause error) {
	k.done.Do(func() { k.lose(cause) })
	k.leave()
}

func (k *Kept) leave() {
	k.session.kept.remove(k)
	k.end()
}

// watch learns at once when the znode is deleted.
func (k *Kept) watch(watch *Watch) {
	if watch == nil {
		timer := time.NewTimer(unwatched)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-k.ctx.Done():
		}
	}
	for {
		if watch == nil {
			fresh, err := k.session.Watch(k.ctx, k.path)
			switch {
			case err == nil && fresh.Stat.EphemeralOwner != k.session.ID(), errors.Is(err, ErrNoNode):
				k.isLost(ErrNoNode)
				return
			case k.ctx.Err() != nil:
				k.over()
				return
			case err != nil:
				return // the checks go on, and find a loss later
			}
			watch = &fresh
		}
		select {
		case <-watch.Event:
			watch = nil
		case <-k.ctx.Done():
			k.over()
			return
		}
	}
}

// over is called when ctx has ended: the znode is lost if the session has ended.
func (k *Kept) over() {
	if err := k.session.Err(); err != nil {
		k.isLost(err)
	}
}

func (k *keeper) add(s *Session, kept *Kept) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.all == nil {
		k.all = make(map[*Kept]struct{})
	}
	k.all[kept] = struct{}{}
	if !k.running {
		k.running = true
		go k.run(s)
	}
}

func (k *keeper) remove(kept *Kept) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.all, kept)
}

// present is what is kept now. If that is nothing, the keeper stops.
func (k *keeper) present() []*Kept {
	k.mu.Lock()
	defer k.mu.Unlock()
	all := make([]*Kept, 0, len(k.all))
	for kept := range k.all {
		all = append(all, kept)
	}
	k.running = len(all) > 0
	return all
}

// run asks until nothing is kept any more.
func (k *keeper) run(s *Session) {
	next := Now().Add(s.Timeout() / checksInTimeout)
	for {
		// Not later than the lease ends, which may be soon.
		wait, cancel := withInstant(s.life, min(next, s.AliveUntil()), nil)
		<-wait.Done()
		cancel()
		all := k.present()
		if len(all) == 0 {
			return
		}
		next = Now().Add(s.Timeout() / checksInTimeout)
		for len(all) > 0 {
			n := min(checked, len(all))
			k.check(s, all[:n])
			all = all[n:]
		}
	}
}

// check asks for znodes in one transaction. Those that are gone are lost. All are lost if
// the lease ends before an answer comes.
func (k *keeper) check(s *Session, all []*Kept) {
	for len(all) > 0 {
		ctx, cancel := withInstant(s.life, s.AliveUntil(), ErrSilence)
		paths := make([]string, len(all))
		for i, kept := range all {
			paths[i] = kept.path
		}
		at, err := s.check(ctx, paths)
		late := s.Alive()
		cancel()
		switch {
		case late != nil:
			if cause := cmp.Or(s.Cause(), err); cause != nil && !errors.Is(cause, late) {
				late = fmt.Errorf("%w (%w)", late, cause)
			}
			for _, kept := range all {
				kept.isLost(late)
			}
			return
		case errors.Is(err, ErrNoNode) && at >= 0:
			all[at].isLost(ErrNoNode)
			all = append(all[:at:at], all[at+1:]...)
		default:
			return // any other answer came from a quorum, too
		}
	}
}

// withInstant returns a context that ends at an instant, with the given cause. On Linux it
// ends as soon as the machine wakes if it has slept past the instant. Elsewhere the timer
// stops during sleep, and the caller has to look at the clock.
func withInstant(ctx context.Context, at Instant, cause error) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	wake := wakeAt(at, func() { cancel(cause) })
	return ctx, func() {
		wake()
		cancel(nil)
	}
}
