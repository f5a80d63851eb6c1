// SPDX-License-Identifier: MPL-2.0

package command

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
)

const (
	locksAbout = `
Shows all locks that somebody holds or waits for, including those of other clients, sorted
by name. With PREFIX it shows only those whose names begin with it. The environment variables
of the provider say where ZooKeeper is, and how to connect.`

	locksNotes = `
A name with a slash is that of another client's lock, deeper below the root. The names of
Terraform's locks have two underscores for each slash of the lockid.

Example: %s locks web-`

	zookeeperFlag = "`CONNECT` string instead of the environment's"
)

var locksCommand = Command{
	Name:    "locks",
	Summary: "show who holds and who waits for which lock",
	Run:     runLocks,
}

func runLocks(ctx context.Context, p Program, args []string) int {
	f := newFlags("locks", "[flags] [PREFIX]", locksAbout, fmt.Sprintf(locksNotes, name))
	asJSON := f.Bool("json", false, "print JSON, with everything that the data source has; with --watch one line for each change")
	watch := f.Bool("watch", false, "print the locks again after each change, until interrupted")
	servers := f.String("zookeeper", "", zookeeperFlag)
	rest, code, done := f.parseAnywhere(p, args)
	switch {
	case done:
		return code
	case len(rest) > 1:
		return f.wrong(p, fmt.Errorf("there can be only one PREFIX, not %q", rest))
	}
	client, err := p.client(ctx)
	if err != nil {
		return p.fail(exitUsage, err)
	}
	prefix := strings.Join(rest, "")
	show := &lockPrinter{out: p.Out, json: *asJSON, watch: *watch, clear: *watch && isTerminal(p.Out)}
	if !*watch {
		locks, err := client.Locks(ctx, *servers, prefix)
		if err == nil {
			err = show.print(locks)
		}
		if err != nil {
			return p.fail(exitFailure, err)
		}
		return 0
	}
	interrupted, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	ctx, cancel := context.WithCancelCause(interrupted)
	defer cancel(nil)
	err = client.FollowLocks(ctx, *servers, prefix, func(locks []locker.Listed) {
		if err := show.print(locks); err != nil {
			cancel(err) // nobody reads any more
		}
	})
	if interrupted.Err() != nil {
		return 0 // as it is meant to end
	}
	return p.fail(exitFailure, err)
}

// isTerminal tells whether the output is a terminal.
func isTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// lockPrinter prints lists of locks.
type lockPrinter struct {
	out                io.Writer
	json, watch, clear bool
}

// clearScreen moves to the top left corner and erases what is below (ECMA-48).
const clearScreen = "\x1b[H\x1b[J"

func (l *lockPrinter) print(locks []locker.Listed) error {
	var b strings.Builder
	switch {
	case l.json:
		if err := l.encode(&b, locks); err != nil {
			return err
		}
	case l.clear:
		b.WriteString(clearScreen)
		table(&b, locks)
	case l.watch:
		table(&b, locks)
		b.WriteString("\n")
	default:
		table(&b, locks)
	}
	_, err := io.WriteString(l.out, b.String())
	return err
}

// table writes a line for each holder, and one for each lock without a holder.
func table(out io.Writer, locks []locker.Listed) {
	if len(locks) == 0 {
		_, _ = io.WriteString(out, "Nobody holds or waits for a lock.\n")
		return
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(cells ...any) {
		_, _ = fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf(strings.Repeat("%v\t", len(cells)-1)+"%v", cells...), " "))
	}
	row("LOCK", "HELD BY", "SINCE", "WAITING", "INFO", "ZNODE")
	for _, l := range locks {
		name, waiting := l.ShownName(), any(l.Waiters)
		switch {
		case l.Unreadable:
			row(name, "(no permission to list it)", "-", "?", "-", "-")
		case len(l.Holders) == 0:
			row(name, "(nobody)", "-", waiting, "-", "-")
		}
		for _, h := range l.Holders {
			row(name, holderOf(h), instant(since(h)), waiting, orDash(h.Data.Info), h.ShownZnode())
			name, waiting = "", ""
		}
	}
	_ = w.Flush()
}

// holderOf names a holder in a cell of the table.
func holderOf(e locker.Entry) string {
	owner := e.Data.Owner
	switch {
	case e.Unreadable:
		owner = "(no permission to read it)"
	case owner == "":
		owner = "(unnamed)"
	}
	if e.Session == 0 {
		owner += " (durable)"
	}
	return owner
}

// since is when the holder got the lock. Other clients do not say that; then it is when the
// holder joined the queue.
func since(e locker.Entry) time.Time {
	if !e.Data.HeldSince.IsZero() {
		return e.Data.HeldSince
	}
	return e.Joined()
}

func instant(at time.Time) string { return at.UTC().Format(time.RFC3339) }

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// lockJSON is a lock with the names of the data source clocker_locks.
type lockJSON struct {
	LockID    *string      `json:"lockid"`
	Name      string       `json:"name"`
	Directory string       `json:"directory"`
	Holders   []holderJSON `json:"holders"`
	Waiters   int          `json:"waiters"`
	Readable  bool         `json:"readable"`
}

// holderJSON is a holder with the names of the data source. What it did not say is null.
type holderJSON struct {
	Znode     string  `json:"znode"`
	Owner     *string `json:"owner"`
	Info      *string `json:"info"`
	Run       *string `json:"run"`
	Mode      string  `json:"mode"`
	Client    *string `json:"client"`
	Durable   bool    `json:"durable"`
	Host      *string `json:"host"`
	PID       *int    `json:"pid"`
	Since     string  `json:"since"`
	HeldSince *string `json:"held_since"`
	Until     *string `json:"until"`
}

// encode writes the locks as one JSON value.
func (l *lockPrinter) encode(out io.Writer, locks []locker.Listed) error {
	all := make([]lockJSON, len(locks))
	for i, lock := range locks {
		all[i] = lockJSON{LockID: orNull(lock.LockID()), Name: lock.Name, Directory: lock.Dir, Holders: []holderJSON{}, Waiters: lock.Waiters, Readable: !lock.Unreadable}
		for _, h := range lock.Holders {
			one := holderJSON{
				Znode: h.Znode, Owner: orNull(h.Data.Owner), Info: orNull(h.Data.Info), Run: orNull(h.Data.Run), Mode: string(h.Contender.Mode), Client: orNull(h.Data.Client),
				Durable: h.Session == 0, Host: orNull(h.Data.Host), Since: instant(h.Joined()),
			}
			if !h.Data.HeldSince.IsZero() {
				one.HeldSince = orNull(instant(h.Data.HeldSince))
			}
			if until := h.Until(); !until.IsZero() {
				one.Until = orNull(instant(until))
			}
			if h.Data.PID != 0 {
				one.PID = &h.Data.PID
			}
			all[i].Holders = append(all[i].Holders, one)
		}
	}
	encoder := json.NewEncoder(out)
	if !l.watch {
		encoder.SetIndent("", "  ")
	}
	return encoder.Encode(all)
}

func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
