package locker

import (
	"cmp"
	"slices"
)

// claim is a contender as the search for deadlocks sees it.
type claim struct {
	Contender
	dir   string // of its lock
	run   string // the run that it belongs to, by its name, and once it was read by its session, too
	czxid int64  // of the transaction that created it
	first bool   // it holds its lock, or is about to
	entry Entry
}

// snapshot are the queues of locks, each in its order. Those who are not in it, such as
// clients that do not say which run they belong to, count as able to leave.
type snapshot [][]claim

// stuck is what stays of the queues once all runs have ended that can end. A run can end
// if each of its contenders holds its lock, and then all of them leave.
func (s snapshot) stuck() snapshot {
	for {
		waiting := map[string]bool{}
		count := 0
		for _, queue := range s {
			for i, c := range queue {
				waiting[c.run] = waiting[c.run] || !holds(contendersOf(queue), i, c.Slots)
				count++
			}
		}
		left := s.only(func(c claim) bool { return waiting[c.run] })
		if left.len() == count {
			return left
		}
		s = left
	}
}

// closedBy tells whether a contender closes a deadlock that was not there before it came,
// and whether it is part of one in any case.
//
// Each deadlock comes about when a contender queues. So the contenders are looked at in
// the order in which they were created, and who closes a deadlock gives up: that all who
// look agree about it is why one of them does, and not two or none. Its run is expected to
// give up all that it waits for, and so to end; should it not, the next look shows that.
func (s snapshot) closedBy(own claim) (circle []Link, stuck bool) {
	s = s.stuck()
	all := slices.Concat(s...)
	if !slices.ContainsFunc(all, func(c claim) bool { return c.run == own.run }) {
		return nil, false
	}
	slices.SortFunc(all, func(a, b claim) int { return cmp.Compare(a.czxid, b.czxid) })
	ends := map[string]bool{} // runs
	for i, c := range all {
		now := s.only(func(c claim) bool {
			return !ends[c.run] && slices.ContainsFunc(all[:i+1], func(there claim) bool { return there.path() == c.path() })
		}).stuck()
		switch {
		case ends[c.run], now.len() == 0:
		case c.path() == own.path():
			return now.circle(own), true
		default:
			ends[c.run] = true
		}
	}
	return nil, true
}

// circle is a shortest way from a contender that waits, over those that it waits for, back
// to its own run.
func (s snapshot) circle(own claim) []Link {
	type way struct {
		run   string
		links []Link
	}
	seen := map[string]bool{}
	for ways := []way{{run: own.run}}; len(ways) > 0; ways = ways[1:] {
		from := ways[0]
		for _, queue := range s {
			for i, c := range queue {
				if c.run != from.run || len(from.links) == 0 && c.path() != own.path() || holds(contendersOf(queue), i, c.Slots) {
					continue
				}
				for _, before := range queue[:i] {
					if seen[before.run] || c.Mode == Shared && before.Mode == Shared {
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

func (c claim) path() string { return c.dir + "/" + c.Name }

func contendersOf(queue []claim) []Contender {
	contenders := make([]Contender, len(queue))
	for i, c := range queue {
		contenders[i] = c.Contender
	}
	return contenders
}

// only keeps some of the contenders.
func (s snapshot) only(keep func(claim) bool) snapshot {
	var left snapshot
	for _, queue := range s {
		kept := slices.DeleteFunc(slices.Clone(queue), func(c claim) bool { return !keep(c) })
		if len(kept) > 0 {
			left = append(left, kept)
		}
	}
	return left
}

func (s snapshot) len() int {
	n := 0
	for _, queue := range s {
		n += len(queue)
	}
	return n
}
