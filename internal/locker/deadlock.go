// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"cmp"
	"slices"
)

// claim is a contender as the search for deadlocks sees it.
type claim struct {
	entry Entry  // its contender and its path; what its znode says once that was read
	dir   string // of its lock
	run   string // the run that it belongs to, by its name, and once it was read by its session, too
	first bool   // it holds its lock, or is about to
}

// claims are the queues of locks, each in its order. A contender that is not in them, such
// as that of a client that does not say which run it belongs to, counts as able to leave.
type claims [][]claim

// stuck is what stays of the queues once all runs have ended that can end. A run can end
// if each of its contenders holds its lock, and then all of them leave.
func (s claims) stuck() claims {
	for {
		waiting := map[string]bool{}
		count := 0
		for _, queue := range s {
			for i, c := range queue {
				waiting[c.run] = waiting[c.run] || isWaiting(queue, i)
				count++
			}
		}
		left := s.only(func(c claim) bool { return waiting[c.run] })
		if len(slices.Concat(left...)) == count {
			return left
		}
		s = left
	}
}

// closedBy tells whether our contender closes a deadlock that was not there before it came:
// then it returns the circle. stuck tells whether our run is part of any deadlock.
//
// Each deadlock comes about when a contender queues. So the contenders are looked at in
// the order in which they were created, and the one that closes a deadlock gives up. All
// who look agree about that, so one of them gives up, and not two or none. Its run is
// expected to give up all that it waits for, and so to end. If it does not, the next look
// shows that.
func (s claims) closedBy(own claim) (circle []Link, stuck bool) {
	s = s.stuck()
	all := slices.Concat(s...)
	if !slices.ContainsFunc(all, func(c claim) bool { return c.run == own.run }) {
		return nil, false
	}
	slices.SortFunc(all, func(a, b claim) int { return cmp.Compare(a.entry.Czxid, b.entry.Czxid) })
	ends := map[string]bool{} // runs
	for i, c := range all {
		now := s.only(func(c claim) bool {
			return !ends[c.run] && slices.ContainsFunc(all[:i+1], c.is)
		}).stuck()
		switch {
		case ends[c.run], len(now) == 0:
		case c.is(own):
			return now.circle(own), true
		default:
			ends[c.run] = true
		}
	}
	return nil, true
}

// circle is a shortest way from our contender, over those that it waits for, and those that
// their runs wait for, back to our run.
func (s claims) circle(own claim) []Link {
	type way struct {
		run   string
		links []Link
	}
	seen := map[string]bool{}
	for ways := []way{{run: own.run}}; len(ways) > 0; ways = ways[1:] {
		from := ways[0]
		for _, queue := range s {
			for i, c := range queue {
				if c.run != from.run || len(from.links) == 0 && !c.is(own) || !isWaiting(queue, i) {
					continue
				}
				for _, before := range queue[:i] {
					if seen[before.run] || c.entry.Contender.Mode == Shared && before.entry.Contender.Mode == Shared {
						continue
					}
					links := append(slices.Clone(from.links), Link{Dir: c.dir, Before: before.entry, Holds: before.first})
					if before.run == own.run {
						return links
					}
					seen[before.run] = true
					ways = append(ways, way{before.run, links})
				}
			}
		}
	}
	return nil
}

// is tells whether both are the same contender.
func (c claim) is(other claim) bool { return c.entry.Znode == other.entry.Znode }

// isWaiting tells whether queue[i] does not hold its lock.
func isWaiting(queue []claim, i int) bool {
	contenders := make([]Contender, len(queue))
	for i, c := range queue {
		contenders[i] = c.entry.Contender
	}
	return !holds(contenders, i, queue[i].entry.Contender.Slots)
}

// only keeps some of the contenders.
func (s claims) only(keep func(claim) bool) claims {
	var left claims
	for _, queue := range s {
		kept := slices.DeleteFunc(slices.Clone(queue), func(c claim) bool { return !keep(c) })
		if len(kept) > 0 {
			left = append(left, kept)
		}
	}
	return left
}

func (s claims) has(own claim) bool {
	return slices.ContainsFunc(s, func(queue []claim) bool { return slices.ContainsFunc(queue, own.is) })
}
