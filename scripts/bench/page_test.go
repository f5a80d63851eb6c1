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

func TestPlotsAreXML(t *testing.T) {
	t.Parallel()
	growth := []Growth{{Name: "<ours>", Points: []Scaled{{N: 10, Take: 5}, {N: 1000, Take: 700}}}}
	tables := []Comparison{{Title: "a & b", Rows: []Row{{Name: "ours", Ratio: Span{0.8, 0.7, 9}}}}}
	for name, plot := range map[string]string{
		"ratios":    ratioPlot(tables),
		"growth":    growthPlot(growth, "a < b"),
		"no ratios": ratioPlot(nil),
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
