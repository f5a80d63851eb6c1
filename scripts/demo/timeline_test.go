// SPDX-License-Identifier: MPL-2.0

package main

import (
	"strings"
	"testing"
)

func TestTimeline(t *testing.T) {
	act := Act{
		Title: "A title",
		Runs:  []string{"carol", "dave", "erin"},
		Events: []Event{
			at(0, "carol", started), at(0, "dave", started), at(0, "erin", started),
			at(500, "carol", holds), at(600, "carol", begun),
			at(500, "dave", queued), at(700, "erin", queued),
			at(1510, "carol", killed), at(1511, "carol", cut), at(1518, "carol", gone), at(1519, "dave", holds),
			at(1600, "dave", begun), at(2000, "dave", ended), at(2100, "dave", gone), at(2100, "erin", holds),
			at(2100, "erin", begun), at(2600, "erin", ended), at(2600, "erin", gone), at(2640, "erin", exited),
		},
	}
	want := `A title

  seconds 0                   1                   2
  carol             ░░██████████████████✗
  dave              ····················░░████████░░
  erin                  ····························██████████

  kill -9 → next holder (dave): 9 ms; → its work begins: 90 ms
`
	if got := timeline(act); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestTimelineShowsWorkWithoutLock(t *testing.T) {
	act := Act{Runs: []string{"a"}, Events: []Event{at(0, "a", begun), at(1000, "a", ended)}}
	if got := timeline(act); !strings.Contains(got, "!!!!") {
		t.Errorf("got\n%s", got)
	}
}

func TestTimelineFitsTheTerminal(t *testing.T) {
	for _, ms := range []int{0, 1, 49, 3399, 3400, 3401, 30_000, 59_999} {
		act := Act{Runs: []string{"a"}, Events: []Event{at(0, "a", holds), at(ms, "a", gone)}}
		for line := range strings.Lines(timeline(act)) {
			if n := len([]rune(strings.TrimRight(line, "\n"))); n > 80 {
				t.Errorf("%d ms: a line of %d characters: %s", ms, n, line)
			}
		}
	}
}
