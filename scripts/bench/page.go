package main

import (
	_ "embed"
	"strings"
	"text/template"
)

const (
	pageFile   = "docs/benchmarks.md"
	ratioFile  = "docs/benchmarks/ratios.svg"
	locksFile  = "docs/benchmarks/locks.svg"
	waiterFile = "docs/benchmarks/waiters.svg"
)

//go:embed page.md.tmpl
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// page is the text of docs/benchmarks.md.
func page(d *Data) (string, error) {
	var b strings.Builder
	err := pageTemplate.Execute(&b, struct {
		*Data
		Tables string
	}{d, tables(d)})
	return b.String(), err
}

// writePage writes the page and the plots.
func writePage(d *Data) error {
	text, err := page(d)
	if err != nil {
		return err
	}
	files := map[string]string{pageFile: text}
	if len(d.Pairs)+len(d.Handoffs) > 0 {
		files[ratioFile] = ratioPlot(append(append([]Comparison{}, d.Pairs...), d.Handoffs...))
	}
	if len(d.Locks) > 0 {
		files[locksFile] = growthPlot(d.Locks, "Time to take so many locks with one session")
	}
	if len(d.Waiters) > 0 {
		files[waiterFile] = growthPlot(d.Waiters, "Time until so many wait for one lock")
	}
	for file, text := range files {
		if err := write(file, text); err != nil {
			return err
		}
	}
	return nil
}
