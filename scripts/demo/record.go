// SPDX-License-Identifier: MPL-2.0

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"
)

// Kind is what happened.
type Kind string

const (
	// Of a run, by the demo, which starts it and waits for its end.
	started Kind = "started"
	killed  Kind = "killed"
	exited  Kind = "exited"
	// Of a run's znode, as seen by the observer.
	queued Kind = "queued" // appeared behind others
	holds  Kind = "holds"  // is the first of the queue
	gone   Kind = "gone"   // has disappeared
	// Of the guarded work, by itself.
	begun Kind = "begun"
	ended Kind = "ended"
	cut   Kind = "cut" // ended because its Terraform did
)

// Event is one thing that happened to one run.
type Event struct {
	At     time.Time `json:"at"`
	Run    string    `json:"run"`
	Kind   Kind      `json:"kind"`
	Znode  string    `json:"znode,omitempty"`  // of queued, holds and gone
	Behind string    `json:"behind,omitempty"` // of queued: who held the lock then
}

// Act is one scene of the demo: runs that were started at once.
type Act struct {
	Title  string   `json:"title"`
	Runs   []string `json:"runs"`
	Events []Event  `json:"events"` // in the order of their times
}

// Record is what the demo leaves for others to draw.
type Record struct {
	CLI      string `json:"cli"`
	Acts     []Act  `json:"acts"`
	Overlaps int    `json:"overlaps"`
}

func writeRecord(file string, r Record) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o600)
}

// recorder collects the events of an act as they come, and prints them.
type recorder struct {
	mu      sync.Mutex
	events  []Event
	changed chan struct{} // closed by the next event
}

func newRecorder() *recorder { return &recorder{changed: make(chan struct{})} }

func (r *recorder) add(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
	close(r.changed)
	r.changed = make(chan struct{})
	fmt.Printf("  %6.2f s  %-6s %s\n", e.At.Sub(r.events[0].At).Seconds(), e.Run, e.say())
}

// take returns the events so far, in the order of their times, and starts anew.
func (r *recorder) take() []Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	events := r.events
	r.events = nil
	slices.SortStableFunc(events, func(a, b Event) int { return a.At.Compare(b.At) })
	return events
}

// await returns once there is a run for each of names to which kind has happened.
func (r *recorder) await(ctx context.Context, kind Kind, names ...string) error {
	for {
		r.mu.Lock()
		missing := slices.DeleteFunc(slices.Clone(names), func(name string) bool {
			return slices.ContainsFunc(r.events, func(e Event) bool { return e.Run == name && e.Kind == kind })
		})
		changed := r.changed
		r.mu.Unlock()
		if len(missing) == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for %q of %v: %w", kind, missing, context.Cause(ctx))
		}
	}
}

// awaitAny returns the first event of this kind, once there is one.
func (r *recorder) awaitAny(ctx context.Context, kind Kind) (Event, error) {
	for {
		r.mu.Lock()
		i := slices.IndexFunc(r.events, func(e Event) bool { return e.Kind == kind })
		if i >= 0 {
			defer r.mu.Unlock()
			return r.events[i], nil
		}
		changed := r.changed
		r.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return Event{}, fmt.Errorf("wait for %q: %w", kind, context.Cause(ctx))
		}
	}
}

// say is what is shown of an event while the demo runs.
func (e Event) say() string {
	switch e.Kind {
	case started:
		return "starts its apply"
	case killed:
		return "Terraform is killed with -9"
	case exited:
		return "Terraform has ended"
	case queued:
		return "waits for the lock, which " + cmp.Or(e.Behind, "nobody") + " holds"
	case holds:
		return "holds the lock"
	case gone:
		return "leaves the queue: its znode is gone"
	case begun:
		return "begins its work"
	case ended:
		return "ends its work"
	case cut:
		return "stops its work, because its Terraform is gone"
	default:
		return string(e.Kind)
	}
}

// span is a stretch of time of a run.
type span struct {
	run        string
	begin, end time.Time
}

// worksOf are the stretches of guarded work, by the work's own word, and the runs
// whose work said when it began but not when it ended.
func worksOf(events []Event) (works []span, unfinished []string) {
	begins := map[string]time.Time{}
	for _, e := range events {
		switch e.Kind {
		case begun:
			begins[e.Run] = e.At
		case ended, cut:
			works = append(works, span{e.Run, begins[e.Run], e.At})
			delete(begins, e.Run)
		}
	}
	for run := range begins {
		unfinished = append(unfinished, run)
	}
	slices.Sort(unfinished)
	return works, unfinished
}

// overlaps counts the pairs of spans that share a moment.
func overlaps(spans []span) int {
	count := 0
	for i, a := range spans {
		for _, b := range spans[i+1:] {
			if a.begin.Before(b.end) && b.begin.Before(a.end) {
				count++
			}
		}
	}
	return count
}
