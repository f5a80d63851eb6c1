package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"time"
)

// Data is all that was measured.
type Data struct {
	Day   string `json:"day"`
	Go    string `json:"go"`
	CPUs  int    `json:"cpus"`
	CLI   string `json:"cli,omitempty"`
	Kazoo string `json:"kazoo,omitempty"`

	Pairs    []Comparison `json:"pairs"`
	Handoffs []Comparison `json:"handoffs"`
	Locks    []Growth     `json:"locks"`
	Waiters  []Growth     `json:"waiters"`
	Runs     []RunTable   `json:"runs"`
	Recovery []Recovery   `json:"recovery"`
}

// keep takes over the sections that will not be measured now. Those that will be
// replace them.
func (d *Data) keep(old *Data) {
	d.CLI = old.CLI
	d.Pairs, d.Handoffs, d.Locks, d.Waiters, d.Runs, d.Recovery = old.Pairs, old.Handoffs, old.Locks, old.Waiters, old.Runs, old.Recovery
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
	text, err := json.MarshalIndent(d, "", "  ")
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

func writeAgain() error {
	d, err := readData()
	if err != nil {
		return err
	}
	return writePage(d)
}

func write(file, text string) error {
	return os.WriteFile(file, []byte(text), 0o644) //nolint:gosec // for all to read
}
