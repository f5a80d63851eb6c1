// SPDX-License-Identifier: MPL-2.0

package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
)

const (
	breakAbout = `
Takes a lock away from a holder that is stuck. It frees the lock whatever its holder is
doing. A run that is alive is told who did it and why, and is interrupted as its on_lost
says. Until then two runs may work at once. So end that run first, if you can.

It removes exactly the holder that you name, and nothing if that no longer holds the lock.
The environment variables of the provider say where ZooKeeper is, how to connect, and who
you are (CLOCKER_OWNER).`

	breakNotes = `
Exit codes: 0 if the holder was removed; 1 if not; 64 for wrong arguments.

Example: %s break web-rollout --reason "build1 hangs, incident 4711" \
             --znode /_zklocking/web-rollout/ex-136b2cbfac5ff389ed842de23cfce75b__lock__0000000000`
)

var breakCommand = Command{
	Name:    "break",
	Summary: "take a lock away from a holder that is stuck",
	Run:     runBreak,
}

func runBreak(ctx context.Context, p Program, args []string) int {
	f := newFlags("break", "LOCKID --znode ZNODE --reason TEXT", breakAbout, fmt.Sprintf(breakNotes, name))
	znode := f.String("znode", "", "absolute `PATH` of the holder's znode, as the command locks shows it")
	reason := f.String("reason", "", "`TEXT` for the run that loses the lock, and for the logs")
	servers := f.String("zookeeper", "", zookeeperFlag)
	rest, code, done := f.parseAnywhere(p, args)
	switch {
	case done:
		return code
	case len(rest) != 1:
		return f.wrong(p, fmt.Errorf("there must be one LOCKID, not %d", len(rest)))
	case *znode == "":
		return f.wrong(p, errors.New("--znode is missing: the holder's znode, as the command locks shows it"))
	case *reason == "":
		return f.wrong(p, errors.New("--reason is missing: the run that loses the lock shows it"))
	}
	client, err := p.client(ctx)
	if err != nil {
		return p.fail(exitUsage, err)
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	broken, err := client.Break(ctx, *servers, rest[0], *znode, *reason)
	if err != nil {
		return p.fail(exitFailure, err)
	}
	_, _ = fmt.Fprintln(p.Out, broken)
	return 0
}
