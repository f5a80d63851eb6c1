// SPDX-License-Identifier: MPL-2.0

// Command demo shows what the provider is for, with real parts: it applies one
// configuration several times at once against a real ZooKeeper, kills the Terraform
// that holds the lock, and draws what happened.
//
// All that it shows is taken from events: what a ZooKeeper client of its own, which
// shares no code with the provider, sees of the lock's znodes, and what the guarded
// work says of its own begin and end. It fails if two works overlap, or if a znode
// or a process is left.
//
// CLOCKER_CLI is the terraform or tofu to run, CLOCKER_TEST_ZOOKEEPER a server
// (host:port) to use in place of one of its own.
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"
)

// patience bounds the whole demo, which takes some 20 seconds. Reached only when
// something is broken.
const patience = 3 * time.Minute

//go:embed main.tf
var configuration string

func main() {
	if len(os.Args) == 3 && os.Args[1] == workCommand {
		exitOn(work(os.Args[2]))
		return
	}
	file := flag.String("record", "", "also write what happened, as JSON, to this `file`")
	record := flag.String("draw", "", "run nothing, but print a picture (SVG) of what is recorded in this `file`")
	flag.Parse()
	if *record != "" {
		exitOn(draw(*record))
		return
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	exitOn(demo(ctx, *file))
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func demo(ctx context.Context, file string) (err error) {
	fmt.Println("Building the provider, and finding a ZooKeeper ...")
	st, err := newStage(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.close()) }() //nolint:contextcheck // it is closed when ctx has ended, too

	fmt.Printf("%s, ZooKeeper at %s. Each run applies this, in a directory of its own:\n\n", st.cli.Version, st.server)
	fmt.Println(indent(configuration))

	acts, err := play(ctx, st)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return errors.Join(err, st.logs())
	}
	left := st.leftovers(ctx)

	var all []Event
	for _, a := range acts {
		fmt.Println(timeline(a))
		all = append(all, a.Events...)
	}
	fmt.Println(legend)
	fmt.Println()
	works, unfinished := worksOf(all)
	overlaps := overlaps(works)
	fmt.Printf("left behind: %s\n", left)
	fmt.Printf("overlaps: %d\n", overlaps)

	if file != "" {
		err = writeRecord(file, Record{CLI: st.cli.Version, Acts: acts, Overlaps: overlaps})
	}
	if overlaps > 0 {
		err = errors.Join(err, errors.New("guarded work overlapped"))
	}
	for _, run := range unfinished {
		err = errors.Join(err, fmt.Errorf("the work of %s did not say when it ended", run))
	}
	return errors.Join(err, left.err())
}

func indent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString("    " + line)
	}
	return b.String()
}
