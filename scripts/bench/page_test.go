// SPDX-License-Identifier: MPL-2.0

package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The page in docs/ is made of the figures that stand beside it.
func TestPageIsOfTheData(t *testing.T) {
	t.Chdir(filepath.Join("..", ".."))
	d, err := readData()
	if err != nil {
		t.Fatal(err)
	}
	want, err := page(d)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(pageFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what go run ./scripts/bench -page writes", pageFile)
	}
}

// What the page concludes follows from the figures.
func TestConclusions(t *testing.T) {
	t.Parallel()
	contest := func(handoff, apply float64) *Data {
		return &Data{Runs: Contest{
			Handoff: []Row{{Name: ephemeralBlock.name, MS: []float64{handoff}}, {Name: flock.name, MS: []float64{20}}, {Name: stateLock.name, MS: []float64{10}}},
			Alone:   []Row{{Name: ephemeralBlock.name, MS: []float64{apply}}, {Name: timeStatic.name, MS: []float64{100}}},
		}}
	}
	failed := func(ours, others int) *Data {
		d := &Data{}
		for range 3 {
			d.Failures = append(d.Failures, Table{Rows: []Row{{Name: runCommand.name, MS: []float64{5}, Both: ours}, {Name: etcdctlLock.name, MS: []float64{5}, Both: others}}})
		}
		return d
	}
	for name, test := range map[string]struct {
		data *Data
		want string
	}{
		"sooner":      {contest(5, 100), "sooner than all others"},
		"as soon":     {contest(10, 100), "as soon as the best"},
		"later":       {contest(12, 100), "later than the best of the others.** With the ephemeral block the next run begins its work 12.0 ms after the run before it has ended its own; the best of the others, Terraform's state lock, takes 10.0 ms. The ratio is 1.20"},
		"as cheap":    {contest(5, 105), "costs what any provider costs"},
		"dearer":      {contest(5, 106), "costs more than another small provider"},
		"stopped":     {failed(0, 1), "Clocker alone stops the work"},
		"not stopped": {failed(1, 1), "work can go on without it.** The holder was killed or cut off 2 times, and two runs worked at once 2 times"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := strings.Join(test.data.Conclusions(), "\n"); !strings.Contains(got, test.want) {
				t.Errorf("%q, want %q in it", got, test.want)
			}
		})
	}
	if got := (&Data{}).Conclusions(); got != nil {
		t.Errorf("%q of nothing", got)
	}
}

func TestPlotsAreXML(t *testing.T) {
	t.Parallel()
	rows := []Row{{Name: "Clocker <ours>", MS: []float64{0.8, 0.7, 9}}, {Name: "nothing & nobody"}}
	for name, plot := range map[string]string{
		"dots":     dotPlot([]group{{"a & b", rows}}),
		"no dots":  dotPlot(nil),
		"lines":    linePlot("a < b", "n", []Table{{N: 1, Rows: rows}, {N: 1000, Rows: rows}}),
		"no lines": linePlot("", "", nil),
	} {
		decoder := xml.NewDecoder(strings.NewReader(plot))
		for {
			if _, err := decoder.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if strings.Contains(plot, "NaN") || strings.Contains(plot, "Inf") {
			t.Errorf("%s: a number is none:\n%s", name, plot)
		}
	}
}
