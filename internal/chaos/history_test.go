// SPDX-License-Identifier: MPL-2.0

//go:build unix

package chaos

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
)

// history is all holds, in the order in which they ended.
type history struct {
	mu    sync.Mutex
	holds []*hold
}

func (h *history) add(one *hold) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.holds = append(h.holds, one)
}

// findings is what check has to say of a history.
type findings struct {
	overlaps, inversions []string
	margin               time.Duration // least time from a loss to the next hold that could have overlapped
	losses               int
}

// check looks for holds that overlap though they may not, and for holds that
// follow each other in another order than their tokens: that would be a late
// comer before one who had waited for longer, since a token is the place in the
// queue.
func (h *history) check() findings {
	f := findings{margin: -1}
	byLock := map[*lock][]*hold{}
	for _, one := range h.holds {
		byLock[one.lock] = append(byLock[one.lock], one)
	}
	for _, holds := range byLock {
		slices.SortFunc(holds, func(a, b *hold) int { return a.begin.Compare(b.begin) })
		f.checkLock(holds)
	}
	return f
}

// checkLock checks the holds of one lock, sorted by their beginning.
func (f *findings) checkLock(holds []*hold) {
	var open []*hold
	highest := map[locker.Mode]*hold{}
	for _, h := range holds {
		open = slices.DeleteFunc(open, func(o *hold) bool { return !o.end.After(h.begin) })
		for _, o := range open {
			if conflict(o, h) {
				f.overlaps = append(f.overlaps, h.String()+" begins "+o.end.Sub(h.begin).String()+" before the end of "+o.String())
			}
		}
		open = append(open, h)
		if h.lock.slots > 0 && len(open) > h.lock.slots {
			f.overlaps = append(f.overlaps, h.String()+" is one too many")
		}
		for mode, earlier := range highest {
			if conflict(earlier, h) && h.token <= earlier.token {
				f.inversions = append(f.inversions, h.String()+" follows "+earlier.String()+", of mode "+string(mode))
			}
		}
		if earlier := highest[h.mode]; earlier == nil || earlier.token < h.token {
			highest[h.mode] = h
		}
	}
	f.margins(holds)
}

// margins finds how close the next hold came to one that was lost.
func (f *findings) margins(holds []*hold) {
	for i, lost := range holds {
		if lost.ending != endedByLoss {
			continue
		}
		f.losses++
		for _, next := range holds[i+1:] {
			if !conflict(lost, next) || next.begin.Before(lost.end) {
				continue
			}
			if margin := next.begin.Sub(lost.end); f.margin < 0 || margin < f.margin {
				f.margin = margin
			}
			break
		}
	}
}

// tokensUnique tells which tokens occur twice: each names one hold.
func (h *history) tokensTwice() []string {
	holds := slices.Clone(h.holds)
	slices.SortFunc(holds, func(a, b *hold) int { return cmp.Compare(a.token, b.token) })
	var twice []string
	for i := 1; i < len(holds); i++ {
		if holds[i].token == holds[i-1].token {
			twice = append(twice, holds[i-1].String()+" and "+holds[i].String())
		}
	}
	return twice
}
