// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestContendersOrder(t *testing.T) {
	t.Parallel()
	const last = math.MaxInt32
	for name, test := range map[string]struct{ want []int }{
		"none":                {nil},
		"one":                 {[]int{5}},
		"in order":            {[]int{0, 1, 2, 3}},
		"with holes":          {[]int{2, 7, 1000}},
		"far apart":           {[]int{0, 2_000_000_000}},
		"up to the last":      {[]int{last - 1, last}},
		"negative ones first": {[]int{math.MinInt32, -1, 0, last}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := make([]string, 0, len(test.want))
			for _, n := range test.want {
				want = append(want, fmt.Sprintf("lock-%010d", n))
			}
			r := seeded(newSeed(t), 0)
			for range 20 {
				names := slices.Clone(want)
				r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
				queue, others := Contenders(names)
				if got := namesOf(queue); !slices.Equal(got, want) || len(others) != 0 {
					t.Fatalf("%q is %q and %q, want %q", names, got, others, want)
				}
			}
		})
	}
}

func TestContendersWithEqualNumbersStandByName(t *testing.T) {
	t.Parallel()
	want := []string{"a-lock-0000000001", "b-lock-0000000001", "ex0000000001", "c-lock-0000000002"}
	queue, _ := Contenders([]string{want[3], want[1], want[2], want[0]})
	if got := namesOf(queue); !slices.Equal(got, want) {
		t.Errorf("the queue is %q, want %q", got, want)
	}
}

func TestContendersSetsOthersAside(t *testing.T) {
	t.Parallel()
	queue, others := Contenders([]string{"zoo", "lock-0000000001", "", "config", "+1"})
	if got := namesOf(queue); !slices.Equal(got, []string{"lock-0000000001"}) {
		t.Errorf("the queue is %q", got)
	}
	if !slices.Equal(others, []string{"", "+1", "config", "zoo"}) {
		t.Errorf("the others are %q", others)
	}
}

// The order is one order, whatever the names: every look at the same children
// gives the same queue.
func FuzzContenders(f *testing.F) {
	f.Add("lock-0000000001/ex0000000001//+/config", uint64(1))
	f.Add("lock-0000000000/lock--2147483648/lock-2147483647/lock--000000001", uint64(2))
	f.Add("1/01/001/-1/-01/lock-1/sem1/sh1/\xff1", uint64(3))
	f.Fuzz(func(t *testing.T, joined string, seed uint64) {
		names := strings.Split(joined, "/")
		slices.Sort(names)
		names = slices.Compact(names) // as children are
		queue, others := Contenders(names)

		all := append(namesOf(queue), others...)
		slices.Sort(all)
		if !slices.Equal(all, names) {
			t.Fatalf("of %q there are %q", names, all)
		}
		shuffled := slices.Clone(names)
		seeded(seed, 0).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		again, _ := Contenders(shuffled)
		if !slices.Equal(queue, again) {
			t.Fatalf("the queue is %q or %q", namesOf(queue), namesOf(again))
		}
		for _, slots := range []int{0, 1, 2, 5} {
			checkHolders(t, queue, slots)
		}
	})
}

// checkHolders is what a lock is for.
func checkHolders(t *testing.T, queue []Contender, slots int) {
	t.Helper()
	var holders []Contender
	for i, c := range queue {
		before := blockers(queue, i, slots)
		for _, b := range before {
			if at := slices.Index(queue, b); at >= i {
				t.Fatalf("%s waits for %s behind it", c.Name, b.Name)
			}
		}
		if holds(queue, i, slots) {
			holders = append(holders, c)
		}
	}
	switch {
	case len(queue) == 0:
	case !holds(queue, 0, slots):
		t.Fatalf("nobody holds %q", namesOf(queue))
	case slots > 0:
		if len(holders) != min(slots, len(queue)) {
			t.Fatalf("%d slots are held by %q", slots, namesOf(holders))
		}
	case len(holders) > 1:
		for _, h := range holders {
			if h.Mode != Shared {
				t.Fatalf("held by %+v", holders)
			}
		}
	}
}

func namesOf(contenders []Contender) []string {
	var names []string
	for _, c := range contenders {
		names = append(names, c.Name)
	}
	return names
}
