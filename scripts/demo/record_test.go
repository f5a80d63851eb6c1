// SPDX-License-Identifier: MPL-2.0

package main

import (
	"testing"
	"time"
)

var dawn = time.Date(2026, 1, 1, 6, 0, 0, 0, time.UTC)

// at makes an event so many milliseconds after dawn.
func at(ms int, run string, kind Kind) Event {
	return Event{At: dawn.Add(time.Duration(ms) * time.Millisecond), Run: run, Kind: kind}
}

func TestOverlaps(t *testing.T) {
	for name, tc := range map[string]struct {
		events     []Event
		want       int
		unfinished int
	}{
		"none":              {want: 0},
		"one after another": {events: []Event{at(0, "a", begun), at(5, "a", ended), at(6, "b", begun), at(9, "b", ended)}, want: 0},
		"in one moment":     {events: []Event{at(0, "a", begun), at(5, "a", ended), at(5, "b", begun), at(9, "b", ended)}, want: 0},
		"crossing":          {events: []Event{at(0, "a", begun), at(5, "b", begun), at(6, "a", ended), at(9, "b", ended)}, want: 1},
		"within":            {events: []Event{at(0, "a", begun), at(5, "b", begun), at(6, "b", ended), at(9, "a", ended)}, want: 1},
		"three at once": {events: []Event{
			at(0, "a", begun), at(1, "b", begun), at(2, "c", begun), at(6, "b", ended), at(9, "a", ended), at(9, "c", ended),
		}, want: 3},
		"cut too late": {events: []Event{at(0, "a", begun), at(5, "b", begun), at(6, "a", cut), at(9, "b", ended)}, want: 1},
		"unfinished":   {events: []Event{at(0, "a", begun), at(5, "b", begun), at(6, "b", ended)}, want: 0, unfinished: 1},
	} {
		t.Run(name, func(t *testing.T) {
			works, unfinished := worksOf(tc.events)
			if got := overlaps(works); got != tc.want || len(unfinished) != tc.unfinished {
				t.Errorf("%d overlaps and unfinished %v, want %d and %d", got, unfinished, tc.want, tc.unfinished)
			}
		})
	}
}
