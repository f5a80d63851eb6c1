// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// work is what a lock guards: a shell that says when it begins, waits until it may end,
// and says when it ends.
const work = `echo begin $$ >$EVENTS; read x <$GATE; echo end $$ >$EVENTS`

// guarded is a run whose work is guarded by a lock.
type guarded struct {
	dir          string
	cmd          *exec.Cmd
	output       *os.File
	events, gate *os.File
	began, ended chan moment
	exited       chan struct{} // closed when cmd has ended
	failed       error         // of cmd, then
}

var errEnded = errors.New("the run ended before its work")

// moment is when the work, a process, began or ended.
type moment struct {
	at  time.Time
	pid int32
}

// order says what to start.
type order struct {
	way       way
	at        services
	lock      string
	timeout   int    // seconds of the session or the lease
	terraform bool   // the work is done by Terraform, else by a shell
	workspace string // of Terraform; default: one of its own
}

// prepare makes all that a run needs.
func (b *bench) prepare(ctx context.Context, o order) (_ *guarded, err error) {
	g := &guarded{began: make(chan moment, 1), ended: make(chan moment, 1), exited: make(chan struct{})}
	defer func() {
		if err != nil {
			g.remove()
		}
	}()
	if g.dir, err = os.MkdirTemp(b.dir, "run-"); err != nil {
		return nil, err
	}
	events, gate := filepath.Join(g.dir, "events"), filepath.Join(g.dir, "gate")
	if err := exec.CommandContext(ctx, "mkfifo", events, gate).Run(); err != nil { //nolint:gosec // our own directory
		return nil, err
	}
	// Open for reading and writing, so that nobody waits for the other end.
	for file, path := range map[**os.File]string{&g.events: events, &g.gate: gate, &g.output: filepath.Join(g.dir, "output")} {
		if *file, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600); err != nil { //nolint:gosec // our own directory
			return nil, err
		}
	}
	command := []string{"sh", "-c", work}
	if o.terraform {
		command = append([]string{b.terraform, "apply", "-auto-approve", "-no-color", "-input=false"}, o.way.arguments...)
		o.workspace = cmp.Or(o.workspace, g.dir)
		if err := write(filepath.Join(o.workspace, "main.tf"), o.way.configuration(o.lock, 1)+o.way.work()); err != nil {
			return nil, err
		}
	}
	if o.way.wrap != nil {
		command = append(o.way.wrap(b, o), command...)
	}
	g.cmd = exec.CommandContext(ctx, command[0], command[1:]...)
	g.cmd.Dir, g.cmd.Stdout, g.cmd.Stderr = o.workspace, g.output, g.output
	g.cmd.Env = append(b.environment(o), "EVENTS="+events, "GATE="+gate)
	go g.read()
	return g, nil
}

// start starts a run, and does not wait for it.
func (b *bench) start(ctx context.Context, o order) (*guarded, error) {
	g, err := b.prepare(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := g.cmd.Start(); err != nil {
		g.remove()
		return nil, err
	}
	go func() {
		g.failed = g.cmd.Wait()
		_, _ = io.WriteString(g.events, "exit\n") // behind what the work has said
	}()
	return g, nil
}

// time runs it, and gives its milliseconds.
func (g *guarded) time() (float64, error) {
	begin := time.Now()
	if err := g.cmd.Run(); err != nil {
		return 0, fmt.Errorf("%s: %w\n%s", g.cmd, err, g.said())
	}
	return since(begin), nil
}

// read reads what the work says, and at last that the run has ended.
func (g *guarded) read() {
	lines := bufio.NewScanner(g.events)
	for lines.Scan() {
		now := time.Now()
		what, pid, _ := strings.Cut(lines.Text(), " ")
		number, _ := strconv.ParseInt(pid, 10, 32)
		switch m := (moment{now, int32(number)}); what {
		case "begin":
			g.began <- m
		case "end":
			g.ended <- m
		case "exit":
			close(g.exited)
		}
	}
}

// await waits until the work has said something, and fails if the run ends before.
func (g *guarded) await(ctx context.Context, said <-chan moment) (moment, error) {
	select {
	case m := <-said:
		return m, nil
	case <-g.exited:
		select {
		case m := <-said: // It was said before.
			return m, nil
		default:
			return moment{}, fmt.Errorf("%w\n%s", errors.Join(errEnded, g.failed), g.said())
		}
	case <-ctx.Done():
		return moment{}, fmt.Errorf("%w, and the run has said:\n%s", context.Cause(ctx), g.said())
	}
}

// said is what the run has written.
func (g *guarded) said() []byte {
	text, err := os.ReadFile(filepath.Join(g.dir, "output"))
	if err != nil {
		return []byte(err.Error())
	}
	return bytes.TrimSpace(text)
}

// open lets the work end.
func (g *guarded) open() error {
	_, err := io.WriteString(g.gate, "\n")
	return err
}

// finish lets the work end, and waits for the run, whose error it returns.
func (g *guarded) finish() error {
	if err := g.open(); err != nil {
		return err
	}
	<-g.exited
	if g.failed != nil {
		return fmt.Errorf("%s: %w\n%s", g.cmd, g.failed, g.said())
	}
	return nil
}

// end ends what is left of a run that nobody is interested in any more. Its work ends
// too, also where it outlives the run: the gate is open.
func (g *guarded) end() {
	_ = g.open()
	_ = g.cmd.Process.Kill()
	<-g.exited
	g.remove()
}

func (g *guarded) remove() {
	for _, file := range []*os.File{g.events, g.gate, g.output} {
		if file != nil {
			_ = file.Close()
		}
	}
	_ = os.RemoveAll(g.dir)
}
