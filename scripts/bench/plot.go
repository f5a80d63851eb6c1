package main

import (
	"fmt"
	"html"
	"math"
	"strings"
)

const (
	plotWidth  = 760
	nameWidth  = 250
	lineHeight = 20
)

var colours = []string{"#1f6feb", "#8b949e", "#d29922", "#3fb950"}

func svg(height int, body string) string {
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">
<rect width="100%%" height="100%%" fill="#ffffff"/>
%s</svg>
`, plotWidth, height, body)
}

func text(b *strings.Builder, x, y float64, anchor, words string) {
	fmt.Fprintf(b, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", x, y, anchor, html.EscapeString(words))
}

func line(b *strings.Builder, x1, y1, x2, y2 float64, style string) {
	fmt.Fprintf(b, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" %s/>\n", x1, y1, x2, y2, style)
}

// ratioPlot draws each contestant's ratio as a dot, and its spread as a line.
func ratioPlot(tables []Comparison) string {
	const most = 3.0
	at := func(ratio float64) float64 {
		return nameWidth + min(ratio, most)/most*(plotWidth-nameWidth-30)
	}
	var b strings.Builder
	y := 30.0
	for _, c := range tables {
		text(&b, 10, y, "start", c.Title)
		top := y + 6
		for _, r := range c.Rows {
			y += lineHeight
			colour := colours[1]
			if strings.HasPrefix(r.Name, "ours") {
				colour = colours[0]
			}
			text(&b, nameWidth-10, y+4, "end", r.Name)
			line(&b, at(r.Ratio.Low), y, at(r.Ratio.High), y, `stroke="`+colour+`" stroke-width="2"`)
			fmt.Fprintf(&b, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" fill=\"%s\"/>\n", at(r.Ratio.Median), y, colour)
		}
		line(&b, at(1), top, at(1), y+8, `stroke="#000000" stroke-dasharray="3 3"`)
		y += 2 * lineHeight
	}
	for tick := 0.0; tick <= most; tick += 0.5 {
		text(&b, at(tick), y, "middle", fmt.Sprintf("%.1f", tick))
	}
	return svg(int(y)+15, b.String())
}

// growthPlot draws the time to take all over their number, on two logarithmic axes:
// what grows in proportion rises as the dashed line does.
func growthPlot(all []Growth, title string) string {
	const (
		height       = 360.0
		left, bottom = 70.0, 320.0
		right, top   = 500.0, 40.0
	)
	low, high, most := math.Inf(1), math.Inf(-1), 1.0
	for _, g := range all {
		for _, p := range g.Points {
			low, high, most = min(low, p.Take), max(high, p.Take), max(most, float64(p.N))
		}
	}
	low, high = math.Floor(math.Log10(low)), math.Ceil(math.Log10(high))
	x := func(n float64) float64 { return left + (math.Log10(n)-1)/(math.Log10(most)-1)*(right-left) }
	y := func(ms float64) float64 { return bottom - (math.Log10(ms)-low)/(high-low)*(bottom-top) }

	var b strings.Builder
	text(&b, left, 22, "start", title)
	for e := low; e <= high; e++ {
		text(&b, left-8, y(math.Pow(10, e))+4, "end", fmt.Sprintf("%g ms", math.Pow(10, e)))
		line(&b, left, y(math.Pow(10, e)), right, y(math.Pow(10, e)), `stroke="#d0d7de"`)
	}
	for n := 10.0; n <= most; n *= 10 {
		text(&b, x(n), bottom+18, "middle", fmt.Sprintf("%g", n))
		line(&b, x(n), top, x(n), bottom, `stroke="#d0d7de"`)
	}
	for i, g := range all {
		colour := colours[i%len(colours)]
		var points []string
		for _, p := range g.Points {
			points = append(points, fmt.Sprintf("%.1f,%.1f", x(float64(p.N)), y(p.Take)))
			fmt.Fprintf(&b, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"/>\n", x(float64(p.N)), y(p.Take), colour)
		}
		fmt.Fprintf(&b, "<polyline points=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"2\"/>\n", strings.Join(points, " "), colour)
		legend := top + float64(i+1)*lineHeight
		line(&b, right+20, legend-4, right+40, legend-4, `stroke="`+colour+`" stroke-width="2"`)
		text(&b, right+46, legend, "start", g.Name)
	}
	if len(all) > 0 && len(all[0].Points) > 0 {
		// In proportion to the first one's first point, as far as it stays inside.
		first := all[0].Points[0]
		n := min(most, float64(first.N)*math.Pow(10, high)/first.Take)
		line(&b, x(float64(first.N)), y(first.Take), x(n), y(first.Take*n/float64(first.N)), `stroke="#000000" stroke-dasharray="3 3"`)
	}
	return svg(int(height), b.String())
}
