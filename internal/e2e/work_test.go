//go:build unix

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// gate is guarded work that tells when it has begun, and goes on until the test
// lets it end.
type gate struct {
	t     *testing.T
	begun string // a file that is there once the work has begun
	open  *os.File
}

func newGate(t *testing.T) *gate {
	t.Helper()
	dir := t.TempDir()
	fifo := filepath.Join(dir, "open")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	// Open for both, so that neither side waits for the other to open it. Once
	// the test has ended, whoever still reads it reads the end.
	file, err := os.OpenFile(fifo, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	return &gate{t: t, begun: filepath.Join(dir, "begun"), open: file}
}

// work is the shell command.
func (g *gate) work() string {
	return fmt.Sprintf("touch '%s' && read -r _ <'%s'", g.begun, g.open.Name())
}

func (g *gate) hasBegun() bool { return exists(g.begun) }

func (g *gate) awaitBegun() {
	g.t.Helper()
	eventually(g.t, "the beginning of the work", g.hasBegun)
}

// end lets the work end.
func (g *gate) end() {
	g.t.Helper()
	if _, err := g.open.WriteString("\n"); err != nil {
		g.t.Fatal(err)
	}
}

// again makes the gate wait for another beginning of the work.
func (g *gate) again() {
	g.t.Helper()
	if err := os.Remove(g.begun); err != nil {
		g.t.Fatal(err)
	}
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}
