// SPDX-License-Identifier: MPL-2.0

package command

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
)

// flags are a command's flags and arguments.
type flags struct {
	*flag.FlagSet
	arguments string // as the usage line has them
	about     string // what --help says above the flags
	notes     string // and below
}

func newFlags(command, arguments, about, notes string) *flags {
	f := &flags{flag.NewFlagSet(command, flag.ContinueOnError), arguments, about, notes}
	f.SetOutput(io.Discard) // the error says the same
	return f
}

// parse reads the arguments. If done is true, the command is over with that exit code,
// because the user asked for help or the arguments are wrong.
func (f *flags) parse(p Program, args []string) (code int, done bool) {
	err := f.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, _ = io.WriteString(p.Out, f.help())
		return 0, true
	case err != nil:
		return f.wrong(p, err), true
	}
	return 0, false
}

// wrong says what is wrong with the arguments, and which ones are right.
func (f *flags) wrong(p Program, err error) int {
	return p.fail(exitUsage, fmt.Errorf("%w\n\n%s\nMore: %s %s --help", err, f.usage(), name, f.Name()))
}

func (f *flags) usage() string {
	return fmt.Sprintf("Usage: %s %s %s\n", name, f.Name(), f.arguments)
}

// help returns the usage, what the command does, and its flags.
func (f *flags) help() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n", f.usage(), strings.TrimSpace(f.about))
	width := 0
	f.VisitAll(func(one *flag.Flag) { width = max(width, len(left(one))) })
	if width > 0 {
		b.WriteString("\nFlags:\n")
	}
	f.VisitAll(func(one *flag.Flag) {
		_, usage := flag.UnquoteUsage(one)
		fmt.Fprintf(&b, "  %-*s  %s\n", width, left(one), usage)
	})
	if f.notes != "" {
		fmt.Fprintf(&b, "\n%s\n", strings.TrimSpace(f.notes))
	}
	return b.String()
}

// left is a flag with the kind of its value, the left column of the help.
func left(one *flag.Flag) string {
	kind, _ := flag.UnquoteUsage(one)
	return strings.TrimSpace("--" + one.Name + " " + kind)
}
