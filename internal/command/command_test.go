// SPDX-License-Identifier: MPL-2.0

package command

import (
	"strings"
	"testing"
)

// played returns a program whose output the test reads.
func played() (p Program, out, err *strings.Builder) {
	out, err = &strings.Builder{}, &strings.Builder{}
	return Program{Version: "test", In: strings.NewReader(""), Out: out, Err: err}, out, err
}

func TestHelp(t *testing.T) {
	for _, c := range Commands {
		t.Run(c.Name, func(t *testing.T) {
			p, out, err := played()
			code, ok := Main(t.Context(), p, []string{c.Name, "--help"})
			if code != 0 || !ok || err.String() != "" {
				t.Errorf("exit code %d, a command: %t, on standard error %q", code, ok, err)
			}
			if !strings.HasPrefix(out.String(), "Usage: "+name+" "+c.Name+" ") {
				t.Errorf("printed %q", out)
			}
			if !strings.Contains(Usage(), name+" "+c.Name+" ") {
				t.Errorf("the program's help does not name it:\n%s", Usage())
			}
		})
	}
}

func TestBadFlag(t *testing.T) {
	for _, c := range Commands {
		t.Run(c.Name, func(t *testing.T) {
			p, out, err := played()
			code, _ := Main(t.Context(), p, []string{c.Name, "--no-such-flag"})
			if code != exitUsage || out.String() != "" {
				t.Errorf("exit code %d, printed %q", code, out)
			}
			for _, want := range []string{name + ": ", "-no-such-flag", "Usage: " + name + " " + c.Name, "--help"} {
				if !strings.Contains(err.String(), want) {
					t.Errorf("%q is not in %q", want, err)
				}
			}
		})
	}
}

func TestNotACommand(t *testing.T) {
	for _, args := range [][]string{nil, {""}, {"apply"}, {"-debug"}} {
		p, out, err := played()
		if _, ok := Main(t.Context(), p, args); ok || out.String()+err.String() != "" {
			t.Errorf("%q is one", args)
		}
	}
}
