package command

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/clocker/terraform-provider-clocker/internal/provider"
)

// name is the program's, before its messages.
const name = "terraform-provider-clocker"

// Exit codes of the commands, which are those of sysexits.h and of shells. What a
// command starts has its own.
const (
	// exitFailure says that it could not be done.
	exitFailure = 1
	// exitUsage says that the arguments or the environment are wrong. Nothing was done.
	exitUsage = 64
)

// Program is what a command has of the program, and of whoever started it.
type Program struct {
	Version string // of the program
	In      io.Reader
	Out     io.Writer // for what was asked for
	Err     io.Writer // for all else
}

// Command is one of the program's commands.
type Command struct {
	Name    string
	Summary string // one line
	// Run does it, and returns the exit code. The arguments are those behind the name.
	Run func(ctx context.Context, p Program, args []string) (code int)
}

// Commands are all that there are, as the program's help lists them.
var Commands = []Command{runCommand, locksCommand, breakCommand}

// Main is the program where its first argument names a command, and false where it
// does not.
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

// say tells the user something that is not what was asked for.
func (p Program) say(message string) {
	_, _ = fmt.Fprintf(p.Err, "%s: %s\n", name, strings.TrimSpace(message))
}

// client is the provider, configured by the environment.
func (p Program) client(ctx context.Context) (*provider.Client, error) {
	return provider.NewClient(ctx, p.Version, p.say)
}
