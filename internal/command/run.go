// SPDX-License-Identifier: MPL-2.0

package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"

	"github.com/clocker/terraform-provider-clocker/internal/holder"
	"github.com/clocker/terraform-provider-clocker/internal/provider"
	"github.com/clocker/terraform-provider-clocker/internal/run"
)

// Exit codes of run, beside the command's own.
const (
	// exitLost says that a lock was lost though the command succeeded (EX_IOERR).
	exitLost = 74
	// exitNotHeld says that a lock was not taken, and the command not started
	// (EX_TEMPFAIL).
	exitNotHeld = 75
	// exitCannotRun and exitNotFound are those of shells.
	exitCannotRun = 126
	exitNotFound  = 127
	// exitSignal is added to the number of the signal that ended the command.
	exitSignal = 128
)

const (
	runAbout = `
Takes the lock or locks, runs the command, and releases them when it has ended. The
locks are held for as long as the command runs, even if this program is killed.
Everything that the command starts belongs to the same run: a clocker_lock with the
same lockid gets the lock at once. The environment variables of the provider say where
ZooKeeper is, and how to connect.`

	runNotes = `
Exit codes: the command's own (128+n if signal n ended it); 74 if a lock was lost and
the command ended with 0; 75 if a lock was not taken, and the command was not started;
126 and 127 if the command cannot be run or found; 64 for wrong arguments.

Example: %s run --lockid web-rollout --lockwait 600 -- terraform apply`
)

var runCommand = Command{
	Name:    "run",
	Summary: "hold locks while a command runs",
	Run:     runRun,
}

func runRun(ctx context.Context, p Program, args []string) int {
	var locks provider.Locks
	f := newFlags("run", "[flags] -- COMMAND [ARGUMENT...]", runAbout, fmt.Sprintf(runNotes, name))
	locks.Flags(f.FlagSet)
	if code, done := f.parse(p, args); done {
		return code
	}
	if f.NArg() == 0 {
		return f.wrong(p, errors.New("there is no command to run"))
	}
	client, err := p.client(ctx)
	if err != nil {
		return p.fail(exitUsage, err)
	}
	r := &running{Program: p, client: client, args: f.Args()}
	if r.locks, err = client.Requests(ctx, locks); err != nil {
		return p.fail(exitUsage, err)
	}
	if r.path, err = exec.LookPath(r.args[0]); err != nil {
		return p.fail(cannotRun(err), err)
	}
	return r.run(ctx)
}

// cannotRun is the exit code for a command that cannot be started.
func cannotRun(err error) int {
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return exitNotFound
	}
	return exitCannotRun
}

// running is a run of a command under locks.
type running struct {
	Program
	client *provider.Client
	locks  []holder.Request
	path   string   // of the command's program
	args   []string // the program's name, and its arguments

	command run.Run // the process that is the command, or will be
	token   string  // the value of [run.EnvRun] for the command
	held    []provider.Held

	stopped os.Signal // the signal that told the command to stop; nil if none did
	alone   bool      // only the command got that signal, not what it has started
}
