// SPDX-License-Identifier: MPL-2.0

package main

import (
	"encoding/json"
	"fmt"
	"html"
	"os"
	"strings"
	"time"
)

// The picture's measures, in pixels.
const (
	pictureWidth = 800
	leftMargin   = 70 // for the names
	rightMargin  = 20
	titleHeight  = 34
	laneHeight   = 34
	axisHeight   = 30
	actGap       = 18
	legendHeight = 44
	waitHeight   = 4
	holdHeight   = 24
	workHeight   = 14
)

// style makes it readable on light and dark ground.
const style = `text{font:14px system-ui,sans-serif;fill:#1f2328}
.title{font-weight:600}.small{font-size:12px;fill:#59636e}
.lane{stroke:#d1d9e0}.tick{stroke:#d1d9e0}
.wait{fill:#8c959f}.hold{fill:#a5d3ff}.work{fill:#0969da}.bad{fill:#d1242f}.kill{stroke:#d1242f;stroke-width:3;fill:none}
@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.small{fill:#9198a1}.lane,.tick{stroke:#3d444d}.wait{fill:#9198a1}.hold{fill:#1f4f8f}.work{fill:#58a6ff}.bad,.kill{stroke:#f85149}}`

// draw prints a picture (SVG) of the record in a file.
func draw(file string) error {
	text, err := os.ReadFile(file) //nolint:gosec // the file that was asked for
	if err != nil {
		return err
	}
	var r Record
	if err := json.Unmarshal(text, &r); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	fmt.Print(picture(r))
	return nil
}

// picture draws, to one scale, what happened in each act: a lane per run that shows
// when it waited, held the lock and worked.
func picture(r Record) string {
	var longest time.Duration
	height := legendHeight
	for _, a := range r.Acts {
		longest = max(longest, a.length())
		height += titleHeight + laneHeight*len(a.Runs) + axisHeight + actGap
	}
	p := painter{perSecond: (pictureWidth - leftMargin - rightMargin) / max(longest.Seconds(), 1)}

	p.add(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" role="img">`, pictureWidth, height)
	p.add(`<title>Runs that share a lock</title>`)
	p.add(`<desc>Drawn from what happened in scripts/demo with %s. Overlaps of guarded work: %d.</desc>`, html.EscapeString(r.CLI), r.Overlaps)
	p.add(`<style>%s</style>`, style)
	for _, a := range r.Acts {
		p.act(a)
	}
	p.legend()
	p.add(`</svg>`)
	return p.String()
}

// length is from the first event to the last.
func (a Act) length() time.Duration {
	if len(a.Events) == 0 {
		return 0
	}
	return a.Events[len(a.Events)-1].At.Sub(a.Events[0].At)
}

// painter writes a picture from top to bottom.
type painter struct {
	strings.Builder
	perSecond float64 // pixels
	y         int     // of what is drawn next
}

func (p *painter) add(format string, args ...any) { _, _ = fmt.Fprintf(p, format+"\n", args...) }

func (p *painter) x(d time.Duration) float64 { return leftMargin + d.Seconds()*p.perSecond }

// text writes at a height; class is what style knows.
func (p *painter) text(x float64, y int, class, anchor, text string) {
	p.add(`<text x="%.1f" y="%d" class="%s" text-anchor="%s">%s</text>`, x, y, class, anchor, html.EscapeString(text))
}

func (p *painter) act(a Act) {
	p.text(0, p.y+20, "title", "start", a.Title)
	p.y += titleHeight
	if len(a.Events) == 0 {
		return
	}
	begin := a.Events[0].At
	for _, run := range a.Runs {
		p.lane(run, begin, a)
	}
	for at := time.Duration(0); at <= a.length(); at += time.Second {
		p.add(`<line x1="%.1f" x2="%.1[1]f" y1="%d" y2="%d" class="tick"/>`, p.x(at), p.y, p.y+5)
		p.text(p.x(at), p.y+20, "small", "middle", fmt.Sprintf("%d s", int(at.Seconds())))
	}
	p.y += axisHeight + actGap
}

func (p *painter) lane(run string, begin time.Time, a Act) {
	middle := p.y + laneHeight/2
	p.text(0, middle+5, "", "start", run)
	p.add(`<line x1="%d" x2="%d" y1="%d" y2="%[3]d" class="lane"/>`, leftMargin, pictureWidth-rightMargin, middle)
	last := a.Events[len(a.Events)-1].At
	// The works last, on top of what they are done under.
	for _, layer := range []struct {
		class  string
		height int
		shows  func(state) bool
	}{
		{"wait", waitHeight, func(s state) bool { return s.waits }},
		{"hold", holdHeight, func(s state) bool { return s.holds }},
		{"work", workHeight, func(s state) bool { return s.works && s.holds }},
		{"bad", workHeight, func(s state) bool { return s.works && !s.holds }},
	} {
		for _, s := range spans(a.Events, run, last, layer.shows) {
			p.add(`<rect x="%.1f" y="%d" width="%.1f" height="%d" rx="2" class="%s"/>`,
				p.x(s.begin.Sub(begin)), middle-layer.height/2, s.end.Sub(s.begin).Seconds()*p.perSecond, layer.height, layer.class)
		}
	}
	for _, e := range a.Events {
		if e.Run == run && e.Kind == killed {
			p.cross(p.x(e.At.Sub(begin)), middle)
			p.text(p.x(e.At.Sub(begin))+12, middle+5, "small", "start", "kill -9")
		}
	}
	p.y += laneHeight
}

func (p *painter) cross(x float64, y int) {
	p.add(`<path d="M%.1f %d l12 12 m0 -12 l-12 12" class="kill"/>`, x-6, y-6)
}

// spans are the stretches of time, of which the last may be open until the end, in
// which a run was in a state.
func spans(events []Event, run string, end time.Time, in func(state) bool) []span {
	var all []span
	open := false
	for _, e := range events {
		switch now := in(stateAt(events, run, e.At)); {
		case now && !open:
			all = append(all, span{run: run, begin: e.At, end: end})
			open = true
		case !now && open:
			all[len(all)-1].end = e.At
			open = false
		}
	}
	return all
}

func (p *painter) legend() {
	middle := p.y + legendHeight/2
	x := float64(leftMargin)
	for _, item := range []struct {
		class, text string
		height      int
	}{
		{"wait", "waits in the queue", waitHeight},
		{"hold", "holds the lock", holdHeight},
		{"work", "works", workHeight},
	} {
		p.add(`<rect x="%.1f" y="%d" width="28" height="%d" rx="2" class="%s"/>`, x, middle-item.height/2, item.height, item.class)
		p.text(x+36, middle+5, "", "start", item.text)
		x += 190
	}
	p.cross(x+6, middle)
	p.text(x+24, middle+5, "", "start", "Terraform is killed")
	p.y += legendHeight
}
