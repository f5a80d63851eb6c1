// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
)

// referee watches over a lock that many take in turn: at most slots holders at
// once, or, where slots is 0, readers or a single writer.
type referee struct {
	*arena
	slots int

	mu       sync.Mutex
	holders  map[string]Mode
	turns    map[Mode]int
	most     int // holders at once
	overlaps []string
}

func newReferee(a *arena, slots int) *referee {
	return &referee{arena: a, slots: slots, holders: map[string]Mode{}, turns: map[Mode]int{}}
}

// enter is called by who holds the lock by now, and leave before it lets it go.
// In between there is time for others to go wrong.
func (r *referee) enter(who string, mode Mode) {
	r.mu.Lock()
	r.turns[mode]++
	if r.slots == 0 {
		for other, otherMode := range r.holders {
			if mode != Shared || otherMode != Shared {
				r.overlaps = append(r.overlaps, fmt.Sprintf("%s (%s) while %s (%s) holds the lock", who, mode, other, otherMode))
			}
		}
	} else if len(r.holders) >= r.slots {
		r.overlaps = append(r.overlaps, fmt.Sprintf("%s while %d hold the lock", who, len(r.holders)))
	}
	r.holders[who] = mode
	r.most = max(r.most, len(r.holders))
	r.mu.Unlock()
	_, _, _ = r.Conn().Exists(r.Chroot())
}

func (r *referee) leave(who string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.holders, who)
}

// verdict fails the test if two held the lock who must not.
func (r *referee) verdict() {
	r.t.Helper()
	for _, overlap := range r.overlaps {
		r.t.Error(overlap)
	}
	r.t.Logf("%v turns, at most %d at once, %d overlaps", r.turns, r.most, len(r.overlaps))
}

// actor takes the lock once, in a way that it picks by chance, calls the
// referee's enter and leave, and lets it go. It may have to give up.
type actor func(*rand.Rand) error

// play lets each actor have so many turns, all at the same time.
func play(t *testing.T, turns int, actors ...actor) {
	t.Helper()
	var wg sync.WaitGroup
	for i, act := range actors {
		wg.Go(func() {
			chance := rand.New(rand.NewPCG(1, uint64(i))) //nolint:gosec // reproducible
			for range turns {
				if err := act(chance); err != nil {
					t.Errorf("actor %d: %v", i, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// actor is one of our runs, which wants the lock in one of these ways. One time in
// five it only tries, and one in ten it gives up while it waits.
func (p *player) actor(r *referee, wants ...Request) actor {
	return func(chance *rand.Rand) error {
		ctx, cancel := context.WithTimeout(p.arena.t.Context(), patience)
		defer cancel()
		want := p.wanting(wants[chance.IntN(len(wants))])
		switch chance.IntN(10) {
		case 0, 1:
			want.Wait = 0
		case 2:
			// At any moment of the attempt.
			steps := chance.IntN(5)
			go func() {
				for range steps {
					_, _, _ = p.arena.Conn().Exists(p.arena.Chroot())
				}
				cancel()
			}()
		}
		lock, err := Acquire(ctx, p.sessions, want)
		if errors.Is(err, ErrBusy) || errors.Is(err, context.Canceled) {
			return nil
		}
		if err != nil {
			return err
		}
		mode := want.Mode
		if want.Slots > 0 {
			mode = Semaphore
		}
		r.enter(p.data.Run, mode)
		r.leave(p.data.Run)
		if lock.Durable() {
			return RemoveDurable(p.arena.t.Context(), p.sessions, lock.Znode())
		}
		return lock.Release(p.arena.t.Context())
	}
}
