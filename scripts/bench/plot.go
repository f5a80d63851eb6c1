// SPDX-License-Identifier: MPL-2.0

package main

import (
	"fmt"
	"html"
	"math"
	"strings"
)

const (
	plotWidth  = 760.0
	nameWidth  = 220.0
	lineHeight = 20.0
)

// svg is a picture that can be read on a light page and on a dark one.
func svg(height float64, body string) string {
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" font-family="sans-serif" font-size="12">
<style>
.back { fill: #ffffff } text { fill: #1f2328 } .grid { stroke: #d0d7de }
.ours { fill: #0969da; stroke: #0969da } .more { fill: #1a7f37; stroke: #1a7f37 } .other { fill: #818b98; stroke: #818b98 }
@media (prefers-color-scheme: dark) {
.back { fill: #0d1117 } text { fill: #f0f6fc } .grid { stroke: #3d444d }
.ours { fill: #4493f8; stroke: #4493f8 } .more { fill: #3fb950; stroke: #3fb950 } .other { fill: #9198a1; stroke: #9198a1 }
}
</style>
<rect width="100%%" height="100%%" class="back"/>
%s</svg>
`, plotWidth, height, body)
}

func label(b *strings.Builder, x, y float64, anchor, words string) {
	fmt.Fprintf(b, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", x, y, anchor, html.EscapeString(strings.ReplaceAll(words, "`", "")))
}

func line(b *strings.Builder, x1, y1, x2, y2 float64, class string) {
	fmt.Fprintf(b, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"%s\" stroke-width=\"2\"/>\n", x1, y1, x2, y2, class)
}

func dot(b *strings.Builder, x, y float64, class string) {
	fmt.Fprintf(b, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" class=\"%s\"/>\n", x, y, class)
}

// axis maps numbers to places, by their logarithms.
type axis struct{ low, high, from, to float64 }

// axisOf is one on which all the numbers are, from a power of ten to another.
func axisOf(numbers []float64, from, to float64) axis {
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range numbers {
		if v > 0 {
			low, high = min(low, math.Log10(v)), max(high, math.Log10(v))
		}
	}
	if low > high {
		low, high = 0, 1
	}
	return axis{math.Floor(low), max(math.Ceil(high), math.Floor(low)+1), from, to}
}

func (a axis) at(v float64) float64 {
	if v <= 0 {
		return a.from
	}
	return a.from + (math.Log10(v)-a.low)/(a.high-a.low)*(a.to-a.from)
}

// ticks are the powers of ten.
func (a axis) ticks() []float64 {
	var all []float64
	for e := a.low; e <= a.high; e++ {
		all = append(all, math.Pow(10, e))
	}
	return all
}

// group is some rows that are drawn together.
type group struct {
	title string
	rows  []Row
}

func class(name string) string {
	if isOurs(name) {
		return "ours"
	}
	return "other"
}

// dotPlot draws the median of each row as a dot, and its spread as a line.
func dotPlot(groups []group) string {
	var numbers []float64
	height := 2 * lineHeight
	for _, g := range groups {
		for _, r := range g.rows {
			numbers = append(numbers, r.time().Low, r.time().High)
		}
		height += float64(len(g.rows)+2) * lineHeight
	}
	x := axisOf(numbers, nameWidth, plotWidth-70)
	var b strings.Builder
	for _, tick := range x.ticks() {
		line(&b, x.at(tick), lineHeight, x.at(tick), height-lineHeight-4, "grid")
		label(&b, x.at(tick), height-8, "middle", fmt.Sprintf("%g ms", tick))
	}
	y := 5.0
	for _, g := range groups {
		y += lineHeight
		label(&b, 10, y, "start", g.title)
		for _, r := range g.rows {
			y += lineHeight
			span := r.time()
			label(&b, nameWidth-10, y+4, "end", r.Name)
			line(&b, x.at(span.Low), y, x.at(span.High), y, class(r.Name))
			dot(&b, x.at(span.Median), y, class(r.Name))
			label(&b, x.at(span.High)+8, y+4, "start", number(span.Median))
		}
		y += lineHeight
	}
	return svg(height, b.String())
}

// linePlot draws the medians of each contestant over the tables' numbers.
func linePlot(title, unit string, tables []Table) string {
	const height, left, right, top, bottom = 340.0, 90.0, 540.0, 40.0, 290.0
	var xs, ys []float64
	for _, t := range tables {
		xs = append(xs, float64(t.N))
		for _, r := range t.Rows {
			ys = append(ys, r.median())
		}
	}
	x, y := axisOf(xs, left, right), axisOf(ys, bottom, top)
	var b strings.Builder
	label(&b, left, 22, "start", title)
	for _, tick := range x.ticks() {
		line(&b, x.at(tick), top, x.at(tick), bottom, "grid")
		label(&b, x.at(tick), bottom+20, "middle", fmt.Sprintf("%g", tick))
	}
	label(&b, right+20, bottom+20, "start", unit)
	for _, tick := range y.ticks() {
		line(&b, left, y.at(tick), right, y.at(tick), "grid")
		label(&b, left-8, y.at(tick)+4, "end", fmt.Sprintf("%g ms", tick))
	}
	classes := []string{"other", "ours", "more"}
	var before Table
	for i, t := range tables {
		for j, r := range t.Rows {
			class := classes[j%len(classes)]
			dot(&b, x.at(float64(t.N)), y.at(r.median()), class)
			if i > 0 {
				line(&b, x.at(float64(before.N)), y.at(rowOf(before.Rows, r.Name).median()), x.at(float64(t.N)), y.at(r.median()), class)
			} else {
				row := top + float64(j+1)*lineHeight
				dot(&b, right+25, row-4, class)
				label(&b, right+35, row, "start", r.Name)
			}
		}
		before = t
	}
	return svg(height, b.String())
}
