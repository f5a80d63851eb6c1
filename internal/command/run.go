package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"

	"github.com/clocker/terraform-provider-clocker/internal/provider"
	"github.com/clocker/terraform-provider-clocker/internal/run"
)

// Exit codes of run, beside the command's own.
const (
	// exitLost says that a lock was lost though the command ended well (EX_IOERR).
	exitLost = 74
	// exitNotHeld says that the lock was not had, and the command not started
	// (EX_TEMPFAIL).
	exitNotHeld = 75
	// exitCannotRun and exitNotFound are what shells say of a command.
	exitCannotRun = 126
	exitNotFound  = 127
	// exitSignal is added to the number of the signal that ended the command.
	exitSignal = 128
)

const (
	runAbout = `
Takes the lock or locks, runs the command, and releases them when it has ended. The
locks are held for as long as the command lives, also if this program is killed. All
that the command starts is the same run: a clocker_lock with the same lockid has it
at once. Where ZooKeeper is, and how to connect, is said by the environment variables
of the provider.`

	runNotes = `
Exit codes: the command's own (128+n if signal n ended it); 74 if a lock was lost and
the command ended with 0; 75 if a lock was not had, and the command was not started;
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
	if r.locks, err = client.Locate(ctx, locks); err != nil {
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
	locks  []provider.Lock
	path   string   // of the command's program
	args   []string // its name, and its arguments

	command run.Run // the process that is the command, or will be
	token   string  // for the environment, see [run.EnvRun]
	held    []provider.Held

	stopped os.Signal // told the command to stop; nil: nothing did
	alone   bool      // what the command has started was not told
}
