// SPDX-License-Identifier: MPL-2.0

package command

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/clocker/terraform-provider-clocker/internal/provider"
)

// name is the program's name, which begins its messages.
const name = "terraform-provider-clocker"

// Exit codes of the commands, as in sysexits.h and in shells. What a command starts has
// exit codes of its own.
const (
	// exitFailure says that the command failed.
	exitFailure = 1
	// exitUsage says that the arguments or the environment are wrong. Nothing was done.
	exitUsage = 64
)

// Program is what a command gets from the program that runs it.
type Program struct {
	Version string // of the program
	In      io.Reader
	Out     io.Writer // for the result
	Err     io.Writer // for everything else
}

// Command is one of the program's commands.
type Command struct {
	Name    string
	Summary string // one line
	// Run runs the command, and returns the exit code. args are the arguments after its name.
	Run func(ctx context.Context, p Program, args []string) (code int)
}

// Commands are all commands, in the order of the program's help.
var Commands = []Command{runCommand, locksCommand, breakCommand}

// Main runs the command that the first argument names. ok is false if it names none.
func Main(ctx context.Context, p Program, args []string) (code int, ok bool) {
	if len(args) == 0 {
		return 0, false
	}
	i := slices.IndexFunc(Commands, func(c Command) bool { return c.Name == args[0] })
	if i < 0 {
		return 0, false
	}
	return Commands[i].Run(ctx, p, args[1:]), true
}

// Usage has a line for each command.
func Usage() string {
	var b strings.Builder
	for _, c := range Commands {
		fmt.Fprintf(&b, "  %s %-9s %s\n", name, c.Name, c.Summary)
	}
	return b.String()
}

// fail says what went wrong, and returns the exit code.
func (p Program) fail(code int, err error) int {
	p.say(err.Error())
	return code
}

// say tells the user something beside the result.
func (p Program) say(message string) {
	_, _ = fmt.Fprintf(p.Err, "%s: %s\n", name, strings.TrimSpace(message))
}

// client returns the provider, configured by the environment.
func (p Program) client(ctx context.Context) (*provider.Client, error) {
	return provider.NewClient(ctx, p.Version, p.say)
}
