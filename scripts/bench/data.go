// SPDX-License-Identifier: MPL-2.0

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"time"
)

const dataFile = "docs/benchmarks/data.json"

// Data is all that was measured.
type Data struct {
	Day  string `json:"day"`
	Go   string `json:"go"`
	CPUs int    `json:"cpus"`
	With string `json:"with"`
	// Minutes that each section took.
	Minutes map[string]float64 `json:"minutes"`

	Runs     Contest `json:"runs"`
	Commands Contest `json:"commands"`
	Failures []Table `json:"failures"`
	Growth   []Table `json:"growth"`
	Waiting  []Table `json:"waiting"`
	Micro    []Table `json:"micro"`
}

// Contest is how long it takes to get a lock from another run, and without one.
type Contest struct {
	Handoff []Row `json:"handoff"`
	Alone   []Row `json:"alone"`
}

// Table is one of rows that took turns.
type Table struct {
	Title string `json:"title"`
	N     int    `json:"n,omitempty"` // of the locks, or of those who wait
	Rows  []Row  `json:"rows"`
}

// keep takes over the figures of another run. Sections that are measured replace them.
func (d *Data) keep(old *Data) {
	d.Minutes, d.Runs, d.Commands, d.Failures = old.Minutes, old.Runs, old.Commands, old.Failures
	d.Growth, d.Waiting, d.Micro = old.Growth, old.Waiting, old.Micro
	if d.Minutes == nil {
		d.Minutes = map[string]float64{}
	}
}

func readData() (*Data, error) {
	text, err := os.ReadFile(dataFile)
	if err != nil {
		return nil, err
	}
	var d Data
	return &d, json.Unmarshal(text, &d)
}

// writeAll writes the data, and what is made of them.
func writeAll(d *Data) error {
	d.Day = time.Now().UTC().Format(time.DateOnly)
	text, err := json.MarshalIndent(d, "", " ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dataFile), 0o750); err != nil {
		return err
	}
	if err := write(dataFile, string(text)+"\n"); err != nil {
		return err
	}
	return writePage(d)
}

func write(file, text string) error {
	return os.WriteFile(file, []byte(text), 0o644) //nolint:gosec // for all to read
}
