// SPDX-License-Identifier: MPL-2.0

package main

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestPictureOfReadme draws the committed picture again from the record of the demo
// that it is said to show.
func TestPictureOfReadme(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "record.json"))
	if err != nil {
		t.Fatal(err)
	}
	var r Record
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join("..", "..", "assets", "serialized-runs.svg"))
	if err != nil {
		t.Fatal(err)
	}
	if picture(r) != string(want) {
		t.Error("it is another one: run go run ./scripts/demo -draw scripts/demo/testdata/record.json >assets/serialized-runs.svg")
	}
}

func TestPictureIsXML(t *testing.T) {
	hostile := `<&"carol">`
	for name, r := range map[string]Record{
		"empty":  {},
		"no run": {Acts: []Act{{Title: "nothing"}}},
		"hostile": {CLI: hostile, Acts: []Act{{
			Title: hostile, Runs: []string{hostile},
			Events: []Event{at(0, hostile, holds), at(10, hostile, begun), at(20, hostile, killed), at(30, hostile, cut)},
		}}},
	} {
		t.Run(name, func(t *testing.T) {
			decoder := xml.NewDecoder(strings.NewReader(picture(r)))
			for {
				_, err := decoder.Token()
				if errors.Is(err, io.EOF) {
					return
				}
				if err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func TestSpans(t *testing.T) {
	events := []Event{
		at(0, "a", holds), at(1, "a", begun), at(2, "b", queued), at(4, "a", ended), at(5, "a", gone), at(5, "b", holds), at(6, "b", begun), at(9, "a", exited),
	}
	end := at(9, "", exited).At
	works := func(s state) bool { return s.works }
	for run, want := range map[string][]time.Duration{
		"a": {1 * time.Millisecond, 4 * time.Millisecond},
		"b": {6 * time.Millisecond, 9 * time.Millisecond}, // open
		"c": nil,
	} {
		var got []time.Duration
		for _, s := range spans(events, run, end, works) {
			got = append(got, s.begin.Sub(events[0].At), s.end.Sub(events[0].At))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s works %v, want %v", run, got, want)
		}
	}
}
