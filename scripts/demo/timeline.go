// SPDX-License-Identifier: MPL-2.0

package main

import (
	"fmt"
	"strings"
	"time"
)

const (
	legend = "····· waits in the queue   ░ holds the lock   █ and works   ✗ killed with -9"

	maxCells = 68
	nameCols = 8
)

// cellLengths are how much time a character may stand for.
var cellLengths = []time.Duration{50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond, time.Second}

// timeline draws an act: a line per run, in which each character shows what was the
// case in the middle of the time for which it stands, and a time axis.
func timeline(a Act) string {
	if len(a.Events) == 0 {
		return a.Title + "\n"
	}
	begin, end := a.Events[0].At, a.Events[len(a.Events)-1].At
	cell := cellLengths[len(cellLengths)-1]
	for _, length := range cellLengths {
		if end.Sub(begin) <= maxCells*length {
			cell = length
			break
		}
	}
	cells := int(end.Sub(begin)/cell) + 1

	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", a.Title)
	fmt.Fprintf(&b, "  %-*s%s\n", nameCols, "seconds", axis(cells, cell))
	for _, run := range a.Runs {
		bar := make([]rune, cells)
		for i := range bar {
			bar[i] = stateAt(a.Events, run, begin.Add(time.Duration(i)*cell+cell/2)).rune()
		}
		for _, e := range a.Events {
			if e.Run == run && e.Kind == killed {
				bar[int(e.At.Sub(begin)/cell)] = '✗'
			}
		}
		fmt.Fprintf(&b, "  %-*s%s\n", nameCols, run, strings.TrimRight(string(bar), " "))
	}
	if h, ok := handOverOf(a.Events); ok {
		fmt.Fprintf(&b, "\n  kill -9 → next holder (%s): %s; → its work begins: %s\n", h.to, milliseconds(h.held), milliseconds(h.begun))
	}
	return b.String()
}

// axis marks each second, or each fifth where seconds are too short for a label.
func axis(cells int, cell time.Duration) string {
	step := time.Second
	if step/cell < 4 {
		step *= 5
	}
	var b strings.Builder
	for at := time.Duration(0); int(at/cell) < cells; at += step {
		b.WriteString(strings.Repeat(" ", int(at/cell)-b.Len()))
		fmt.Fprintf(&b, "%d", int(at.Seconds()))
	}
	return b.String()
}

// state is what a run does at a moment.
type state struct{ waits, holds, works bool }

func (s state) rune() rune {
	switch {
	case s.holds && s.works:
		return '█'
	case s.holds:
		return '░'
	case s.works:
		return '!' // Work without the lock.
	case s.waits:
		return '·'
	default:
		return ' '
	}
}

// stateAt is what all that happened up to a moment has made of a run.
func stateAt(events []Event, run string, moment time.Time) state {
	var s state
	for _, e := range events {
		if e.Run != run || e.At.After(moment) {
			continue
		}
		switch e.Kind {
		case queued:
			s.waits = true
		case holds:
			s.waits, s.holds = false, true
		case gone:
			s.waits, s.holds = false, false
		case begun:
			s.works = true
		case ended, cut:
			s.works = false
		}
	}
	return s
}

// handOver is how long after a kill another run held the lock, and worked.
type handOver struct {
	to          string
	held, begun time.Duration
}

func handOverOf(events []Event) (h handOver, ok bool) {
	var kill *Event
	for i, e := range events {
		switch {
		case e.Kind == killed && kill == nil:
			kill = &events[i]
		case kill == nil || e.Run == kill.Run:
		case e.Kind == holds && h.to == "":
			h.to, h.held = e.Run, e.At.Sub(kill.At)
		case e.Kind == begun && e.Run == h.to:
			h.begun = e.At.Sub(kill.At)
			return h, true
		}
	}
	return h, false
}

func milliseconds(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }
