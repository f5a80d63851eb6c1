// SPDX-License-Identifier: MPL-2.0

// Command bench measures what locks cost, ours beside what people would use instead,
// on real servers that it starts, and writes docs/benchmarks.md: see -help. It is run
// in the root of the checkout.
//
// All take turns in the rounds of one run, so that what else the machine does slows all
// of them. Compare ratios, and numbers of requests, not times of different machines.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/holder"
)

const (
	// patience bounds each wait. Reached only when something is broken.
	patience = 2 * time.Minute
	// longest bounds the whole.
	longest = 2 * time.Hour
)

// section is a part of the benchmark.
type section struct {
	name    string
	measure func(*bench, context.Context) error
}

// sections are all of them, in their order.
var sections = []section{
	{"runs", (*bench).measureRuns},
	{"commands", (*bench).measureCommands},
	{"failures", (*bench).measureFailures},
	{"growth", (*bench).measureGrowth},
	{"waiting", (*bench).measureWaiting},
	{"micro", (*bench).measureMicro},
}

func main() {
	// The other things that this program is: a holder process, and a worker.
	if holder.Main(os.Args[1:]) {
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	if len(os.Args) == 4 && os.Args[1] == workCommand {
		exitOn(serveWork(ctx, os.Args[2], os.Args[3]))
		return
	}
	var names []string
	for _, s := range sections {
		names = append(names, s.name)
	}
	chosen := flag.String("sections", strings.Join(names, ","), "measure these `sections`; the others keep the figures that they have")
	rounds := flag.Int("rounds", 0, "measure this `number` of rounds, in place of each section's own number")
	against := flag.String("against", "", "in the section micro, measure this other build of this `program` too, as \"before\"")
	write := flag.Bool("write", false, "write the figures, the page and the plots into docs/")
	page := flag.Bool("page", false, "measure nothing, and write the page and the plots anew")
	flag.Parse()
	if *page {
		d, err := readData()
		exitOn(err)
		exitOn(writePage(d))
		return
	}
	exitOn(measure(ctx, strings.Split(*chosen, ","), *rounds, *against, *write))
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func measure(ctx context.Context, chosen []string, rounds int, against string, write bool) error {
	for _, name := range chosen {
		if !slices.ContainsFunc(sections, func(s section) bool { return s.name == name }) {
			return fmt.Errorf("there is no section %q", name)
		}
	}
	b, err := newBench(ctx)
	if err != nil {
		return err
	}
	defer b.close()
	b.rounds, b.against = rounds, against
	if old, err := readData(); err == nil && write {
		b.data.keep(old)
	}
	for _, s := range sections {
		if !slices.Contains(chosen, s.name) {
			continue
		}
		fmt.Fprintf(os.Stderr, "==> %s\n", s.name)
		begin := time.Now()
		if err := s.measure(b, ctx); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		b.data.Minutes[s.name] = time.Since(begin).Minutes()
		if write { // What was measured is kept if a later section fails.
			if err := writeAll(b.data); err != nil {
				return err
			}
		}
	}
	text, err := page(b.data)
	fmt.Print(text)
	return err
}
