package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// tables are all figures as Markdown, which people can read too.
func tables(d *Data) string {
	var b strings.Builder
	for _, c := range d.Pairs {
		comparisonTable(&b, c)
	}
	for _, c := range d.Handoffs {
		comparisonTable(&b, c)
	}
	growthTable(&b, "Many locks of one session", "lock", d.Locks)
	growthTable(&b, fmt.Sprintf("Many waiters from %d sessions for one lock", waiterSessions), "waiter", d.Waiters)
	for _, r := range d.Runs {
		runTable(&b, r)
	}
	recoveryTable(&b, d.Recovery)
	return b.String()
}

func (s Span) String() string { return fmt.Sprintf("%.2f (%.2f to %.2f)", s.Median, s.Low, s.High) }

func heading(b *strings.Builder, title string, columns ...string) {
	fmt.Fprintf(b, "\n### %s\n\n| %s |\n|%s\n", title, strings.Join(columns, " | "), strings.Repeat("---|", len(columns)))
}

func row(b *strings.Builder, cells ...string) { fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | ")) }

func comparisonTable(b *strings.Builder, c Comparison) {
	heading(b, c.Title, "client", "ratio", "ms", "requests (writes)", "as the server counts", "woken")
	for _, r := range c.Rows {
		requests, server, woken := "", "", ""
		if r.Requests != nil {
			requests = fmt.Sprintf("%.2f (%.2f)", r.Requests.All, r.Requests.Writes)
			server = fmt.Sprintf("%.2f", r.ServerRequests)
			woken = fmt.Sprintf("%.2f", r.Woken)
		}
		row(b, r.Name, r.Ratio.String(), r.Time.String(), requests, server, woken)
	}
	fmt.Fprintf(b, "\n%d rounds of %d each.\n", c.Rounds, c.Each)
}

func growthTable(b *strings.Builder, title, unit string, all []Growth) {
	if len(all) == 0 {
		return
	}
	heading(b, title, "client", "number", "ms to take all", "ms to give up all", "bytes per "+unit, "goroutines per "+unit, "requests per "+unit)
	for _, g := range all {
		for _, p := range g.Points {
			row(b, g.Name, fmt.Sprint(p.N), fmt.Sprintf("%.0f", p.Take), fmt.Sprintf("%.0f", p.Give),
				fmt.Sprintf("%.0f", p.Memory), fmt.Sprintf("%.1f", p.Goroutines), fmt.Sprintf("%.1f", p.Requests))
		}
	}
	b.WriteString("\nTen times as many take this many times as long, of the last two:")
	for i, g := range all {
		if n := len(g.Points); n > 1 {
			last, before := g.Points[n-1], g.Points[n-2]
			fmt.Fprintf(b, "%s %s %.1f to take, %.1f to give up", []string{"", ";"}[min(i, 1)], g.Name, last.Take/before.Take, last.Give/before.Give)
		}
	}
	b.WriteString(".\n")
}

func runTable(b *strings.Builder, t RunTable) {
	heading(b, fmt.Sprintf("Apply and destroy of %d", t.N), "resource", "ratio of both", "ms to apply", "ms to destroy", "ms added per lock", "requests per lock", "MB provider", "MB holder", "CPU ms of Terraform, provider, holder")
	for _, r := range t.Rows {
		added := (r.Apply.Median + r.Destroy.Median - t.Rows[0].Apply.Median - t.Rows[0].Destroy.Median) / float64(t.N)
		row(b, r.Name, r.Ratio.String(), fmt.Sprintf("%.0f", r.Apply.Median), fmt.Sprintf("%.0f", r.Destroy.Median), fmt.Sprintf("%.2f", added),
			fmt.Sprintf("%.2f", r.Requests), megabytes(r.Provider), megabytes(r.Holder),
			fmt.Sprintf("%.0f, %.0f, %.0f", r.CPU.Terraform, r.CPU.Provider, r.CPU.Holder))
	}
	if t.Held != nil {
		fmt.Fprintf(b, "\nFrom the start of `terraform apply` to the lock held, as another client sees it: %.0f ms (%.0f to %.0f).\n", t.Held.Median, t.Held.Low, t.Held.High)
	}
}

func megabytes(bytes float64) string {
	if bytes == 0 {
		return ""
	}
	return fmt.Sprintf("%.0f", bytes/(1<<20))
}

func recoveryTable(b *strings.Builder, all []Recovery) {
	if len(all) == 0 {
		return
	}
	heading(b, "From a kill to the next holder", "killed", "times", "median ms", "worst ms", "bound ms")
	for _, r := range all {
		bound := ""
		if r.Bound > 0 {
			bound = fmt.Sprintf("%.0f", r.Bound)
		}
		worst := math.NaN()
		if len(r.Times) > 0 {
			worst = slices.Max(r.Times)
		}
		row(b, r.Name, fmt.Sprint(len(r.Times)), fmt.Sprintf("%.1f", quantile(r.Times, 0.5)), fmt.Sprintf("%.1f", worst), bound)
	}
}
