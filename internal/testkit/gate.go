// SPDX-License-Identifier: MPL-2.0

//go:build unix

package testkit

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// Gate is guarded work that tells when it has begun, and goes on until the test
// lets it end.
type Gate struct {
	t     *testing.T
	begun string   // a file that is there once the work has begun
	Open  *os.File // the pipe that the work reads
}

// NewGate makes a gate.
func NewGate(t *testing.T) *Gate {
	t.Helper()
	dir := t.TempDir()
	fifo := filepath.Join(dir, "open")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	// Open for both, so that neither side waits for the other to open it. Once
	// the test has ended, whoever still reads it reads the end.
	file, err := os.OpenFile(fifo, os.O_RDWR, 0) //nolint:gosec // in the directory of the test
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	return &Gate{t: t, begun: filepath.Join(dir, "begun"), Open: file}
}

// Work is the shell command.
func (g *Gate) Work() string {
	return fmt.Sprintf("touch '%s' && read -r _ <'%s'", g.begun, g.Open.Name())
}

// HasBegun tells whether the work has begun.
func (g *Gate) HasBegun() bool {
	_, err := os.Stat(g.begun)
	return err == nil
}

// AwaitBegun waits until the work has begun.
func (g *Gate) AwaitBegun() {
	g.t.Helper()
	Eventually(g.t, "the beginning of the work", g.HasBegun)
}

// End lets the work end.
func (g *Gate) End() {
	g.t.Helper()
	if _, err := g.Open.WriteString("\n"); err != nil {
		g.t.Fatal(err)
	}
}

// Again makes the gate wait for another beginning of the work.
func (g *Gate) Again() {
	g.t.Helper()
	if err := os.Remove(g.begun); err != nil {
		g.t.Fatal(err)
	}
}
