// SPDX-License-Identifier: MPL-2.0

//go:build unix

package early

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"testing"
)

// The command begins when its starter has written a whole line, which is in its
// environment then. If the starter ends before, the command never begins.
func TestCommandBeginsWhenItIsToldTo(t *testing.T) {
	t.Parallel()
	self, err := os.Executable() // which this package makes a gate
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		line, path string
		code       int
		said       string
	}{
		"a line":                {"GATE_TEST=told\n", "/bin/sh", 0, "told\n"},
		"nothing":               {"", "/bin/sh", NotOpened, ""},
		"half a line":           {"GATE_TEST=told", "/bin/sh", NotOpened, ""},
		"no such program":       {"GATE_TEST=told\n", "/nowhere/sh", NotFound, ""},
		"what cannot be run":    {"GATE_TEST=told\n", "/", CannotRun, ""},
		"a line, and no script": {"GATE_TEST=told\n", os.DevNull, CannotRun, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			cmd := exec.CommandContext(t.Context(), self, GateCommand, "3", test.path, "sh", "-c", `echo "$GATE_TEST"`)
			cmd.Env = append(os.Environ(), "GATE_TEST=before")
			cmd.ExtraFiles, cmd.Stdout = []*os.File{r}, &out
			err = cmd.Start()
			_ = r.Close()
			if err == nil {
				_, err = io.WriteString(w, test.line)
			}
			_ = w.Close()
			if err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait() // the exit code tells more
			if code := cmd.ProcessState.ExitCode(); code != test.code || out.String() != test.said {
				t.Errorf("it began, or not, with code %d and said %q; want %d and %q", code, out.String(), test.code, test.said)
			}
		})
	}
}
