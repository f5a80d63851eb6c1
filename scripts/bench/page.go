// SPDX-License-Identifier: MPL-2.0

package main

import (
	_ "embed"
	"fmt"
	"strings"
	"text/template"
)

const (
	pageFile     = "docs/benchmarks.md"
	runsPlot     = "docs/benchmarks/runs.svg"
	failuresPlot = "docs/benchmarks/failures.svg"
	growthPlot   = "docs/benchmarks/growth.svg"
)

//go:embed page.md.tmpl
var pageText string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"setups": func() []way { return append(guards[:len(guards):len(guards)], unguarded...) },
	"table":  table,
}).Parse(pageText))

// page is the text of docs/benchmarks.md.
func page(d *Data) (string, error) {
	var b strings.Builder
	err := pageTemplate.Execute(&b, d)
	return b.String(), err
}

// writePage writes the page and the plots.
func writePage(d *Data) error {
	text, err := page(d)
	if err != nil {
		return err
	}
	var failed []group
	for _, t := range d.Failures {
		failed = append(failed, group{t.Title, t.Rows})
	}
	for file, text := range map[string]string{
		pageFile:     text,
		runsPlot:     dotPlot([]group{{"Hand-off, ms", d.Runs.Handoff}, {"Apply with a free lock, ms", d.Runs.Alone}}),
		failuresPlot: dotPlot(failed),
		growthPlot:   linePlot("Apply, ms", "locks", d.Growth),
	} {
		if err := write(file, text); err != nil {
			return err
		}
	}
	return nil
}

// isOurs says whether a row is Clocker's.
func isOurs(name string) bool { return strings.HasPrefix(name, "Clocker") }

// Conclusions are what the figures say, as far as they were measured.
func (d *Data) Conclusions() []string {
	var all []string
	for _, conclude := range []func(*Data) string{concludeHandoff, concludeAlone, concludeFailures} {
		if text := conclude(d); text != "" {
			all = append(all, text)
		}
	}
	return all
}

func concludeHandoff(d *Data) string {
	ours := rowOf(d.Runs.Handoff, ephemeralBlock.name)
	var best Row
	for _, r := range d.Runs.Handoff {
		if !isOurs(r.Name) && (best.Name == "" || r.median() < best.median()) {
			best = r
		}
	}
	if ours.Name == "" || best.Name == "" {
		return ""
	}
	ratio := ours.median() / best.median()
	verdict := "Clocker hands a lock over later than the best of the others."
	switch {
	case ratio < 0.9:
		verdict = "Clocker hands a lock over sooner than all others."
	case ratio <= 1.1:
		verdict = "Clocker hands a lock over as soon as the best of the others."
	}
	return fmt.Sprintf("**%s** With the ephemeral block the next run begins its work %s ms after the run before it has ended its own; the best of the others, %s, takes %s ms. The ratio is %.2f.",
		verdict, number(ours.median()), best.Name, number(best.median()), ratio)
}

func concludeAlone(d *Data) string {
	row := func(w way) Row { return rowOf(d.Runs.Alone, w.name) }
	ours, other := row(ephemeralBlock), row(timeStatic)
	if ours.Name == "" || other.Name == "" {
		return ""
	}
	ratio := ours.median() / other.median()
	verdict := "A free lock costs more than another small provider."
	if ratio <= 1.05 {
		verdict = "A free lock costs what any provider costs."
	}
	return fmt.Sprintf("**%s** An apply with it takes %s ms, which is %.2f times an apply with a `time_static`, and %s ms without either. Around the same apply `run --` takes %s ms, and `etcdctl lock` %s ms.",
		verdict, number(ours.median()), ratio, number(row(noLock).median()), number(row(runCommand).median()), number(row(etcdctlLock).median()))
}

// concludeFailures is about the failures at which work can go on without its lock: the
// second and the third.
func concludeFailures(d *Data) string {
	if len(d.Failures) < 3 {
		return ""
	}
	var ours, others, times int
	for _, t := range d.Failures[1:3] {
		for _, r := range t.Rows {
			if isOurs(r.Name) {
				ours, times = ours+r.Both, times+len(r.MS)
			} else {
				others += r.Both
			}
		}
	}
	verdict := "If a lock is lost, work can go on without it."
	if ours == 0 && others > 0 {
		verdict = "If a lock is lost, Clocker alone stops the work."
	}
	worst := max(d.Failures[1].Rows[0].worst(), d.Failures[2].Rows[0].worst()) / 1000
	return fmt.Sprintf("**%s** The holder was killed or cut off %d times, and two runs worked at once %d times; with the other locks %d times of %d. The next run began within %.1f s, with a session of %d s. If Terraform is killed, the next run begins %s ms later.",
		verdict, times, ours, others, 2*times, worst, failureTimeout, number(d.Failures[0].Rows[0].median()))
}

// Total is how many minutes all sections took.
func (d *Data) Total() string {
	total := 0.0
	for _, minutes := range d.Minutes {
		total += minutes
	}
	return fmt.Sprintf("%.0f", total)
}

// table is a table of Markdown. The cells of a row stand in a line, between bars.
func table(columns string, rows []string) string {
	if len(rows) == 0 {
		return "Not measured yet."
	}
	return "| " + columns + " |\n|" + strings.Repeat("---|", strings.Count(columns, "|")+1) + "\n| " + strings.Join(rows, " |\n| ") + " |"
}

// Rows has the hand-off and the time alone of each contestant.
func (c Contest) Rows() []string {
	var lines []string
	base := rowOf(c.Alone, noLock.name)
	for _, r := range c.Alone {
		handoff := ""
		if h := rowOf(c.Handoff, r.Name); h.Name != "" {
			handoff = h.time().String()
		}
		lines = append(lines, fmt.Sprintf("%s | %s | %s | %.2f", r.Name, handoff, r.time(), r.ratio(base).Median))
	}
	return lines
}

// FailureRows has a row for each failure and contestant.
func (d *Data) FailureRows() []string {
	var lines []string
	for _, t := range d.Failures {
		for _, r := range t.Rows {
			lines = append(lines, fmt.Sprintf("%s | %s | %d | %s | %s | %d | %d", t.Title, r.Name, len(r.MS)+r.GaveUp, number(r.median()), number(r.worst()), r.Both, r.GaveUp))
		}
	}
	return lines
}

// GrowthRows has a row for each number of locks and contestant.
func (d *Data) GrowthRows() []string {
	var lines []string
	for _, t := range d.Growth {
		for _, r := range t.Rows {
			lines = append(lines, fmt.Sprintf("%d | %s | %s | %s | %s | %s", t.N, r.Name, r.time(), r.ratio(t.Rows[0]), number(r.Memory[0]/(1<<20)), number(r.Memory[1]/(1<<20))))
		}
	}
	return lines
}

// PerLock is the memory of one more resource, between the fewest and the most.
func (d *Data) PerLock() string {
	if len(d.Growth) < 2 {
		return ""
	}
	first, last := d.Growth[0], d.Growth[len(d.Growth)-1]
	per := func(w way, i int) string {
		least, most := rowOf(first.Rows, w.name).Memory, rowOf(last.Rows, w.name).Memory
		return number((most[i] - least[i]) / float64(last.N-first.N) / 1024)
	}
	return fmt.Sprintf("One more lock takes %s KB in the provider, where a `time_static` takes %s KB, and %s KB in the holder.",
		per(resourceBlock, 0), per(timeStatic, 0), per(resourceBlock, 1))
}

// WaitingRows has a row for each number of waiting runs and contestant.
func (d *Data) WaitingRows() []string {
	var lines []string
	for _, t := range d.Waiting {
		for _, r := range t.Rows {
			lines = append(lines, fmt.Sprintf("%d | %s | %s | %s | %s | %s | %s | %s", t.N, r.Name, r.time(),
				number(r.Requests.All), number(r.Requests.Writes), number(r.Requests.Woken), number(r.Memory[0]/1024), number(r.Memory[1]/1024)))
		}
	}
	return lines
}

// RatioRows compares the rows to the first.
func (t Table) RatioRows() []string {
	var lines []string
	for _, r := range t.Rows {
		requests := " | "
		if r.Requests != nil {
			requests = number(r.Requests.All) + " | " + number(r.Requests.Writes)
		}
		lines = append(lines, fmt.Sprintf("%s | %s | %s | %s", r.Name, r.ratio(t.Rows[0]), r.time(), requests))
	}
	return lines
}

// Name is the way's, for the page.
func (w way) Name() string { return w.name }

// Setup says how it is used.
func (w way) Setup() string { return w.setup }
