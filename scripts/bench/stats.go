// SPDX-License-Identifier: MPL-2.0

package main

import (
	"fmt"
	"slices"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// Row is how one contestant did.
type Row struct {
	Name string `json:"name"`
	// MS are the milliseconds of each round.
	MS []float64 `json:"ms"`
	// Requests of one operation, where they were counted.
	Requests *Requests `json:"requests,omitempty"`
	// Memory in bytes: of the provider and of the holder, or of a waiter and of its session.
	Memory [2]float64 `json:"memory"`
	// Both is how often the work of two runs was under way at once.
	Both int `json:"both_at_work,omitempty"`
	// GaveUp is how often the second run ended without work.
	GaveUp int `json:"gave_up,omitempty"`
}

func (r Row) median() float64 { return quantile(r.MS, 0.5) }

func (r Row) worst() float64 { return quantile(r.MS, 1) }

func (r Row) time() Span { return Span{r.median(), quantile(r.MS, 0.1), quantile(r.MS, 0.9)} }

// ratio is that of the medians. Its spread is that of the single rounds, in which all
// take turns: what slows the machine down for a while slows both.
func (r Row) ratio(base Row) Span {
	var ratios []float64
	for round := range min(len(r.MS), len(base.MS)) {
		ratios = append(ratios, r.MS[round]/base.MS[round])
	}
	return Span{r.median() / base.median(), quantile(ratios, 0.1), quantile(ratios, 0.9)}
}

// rowOf is the row of that name, or an empty one.
func rowOf(rows []Row, name string) Row {
	i := slices.IndexFunc(rows, func(r Row) bool { return r.Name == name })
	if i < 0 {
		return Row{}
	}
	return rows[i]
}

// Requests are those of one operation, and what came of them.
type Requests struct {
	All    float64 `json:"all"`
	Writes float64 `json:"writes"` // of them: those that the ensemble has to agree on
	Woken  float64 `json:"woken"`  // waiters that the server told
}

// per is what each of n operations has of counts.
func per(c zktest.Counts, n int) Requests {
	each := func(count int) float64 { return float64(count) / float64(n) }
	return Requests{each(c.Requests), each(c.Writes), each(c.Events)}
}

// Span is a median and what lies around it: a tenth is below, and a tenth above.
type Span struct{ Median, Low, High float64 }

func (s Span) String() string {
	return fmt.Sprintf("%s (%s to %s)", number(s.Median), number(s.Low), number(s.High))
}

// number writes three digits or all before the point.
func number(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	case v < 100:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.0f", v)
	}
}

// quantile is the value below which a part of the values lies, between two of
// them if need be.
func quantile(values []float64, part float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	at := part * float64(len(sorted)-1)
	below := int(at)
	if below+1 == len(sorted) {
		return sorted[below]
	}
	rest := at - float64(below)
	return sorted[below]*(1-rest) + sorted[below+1]*rest
}
