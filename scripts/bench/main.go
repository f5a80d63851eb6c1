// Command bench measures what locks cost, ours beside those of other clients, on one
// real ZooKeeper that it starts, and writes docs/benchmarks.md: see -help.
//
// All contestants take turns in short rounds, so that what else the machine does
// slows all of them. What counts are ratios of one run, and numbers of requests;
// times of different runs, or machines, are not to be compared.
//
// CLOCKER_CLI is the terraform or tofu to run.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/holder"
)

const (
	dataFile = "docs/benchmarks/data.json"
	// patience bounds the whole. Reached only when something is broken.
	patience = 2 * time.Hour
)

// sections are the parts of the benchmark, in their order.
var sections = []struct {
	name string
	run  func(*bench, context.Context) error
}{
	{"pair", (*bench).measurePairs},
	{"handoff", (*bench).measureHandoffs},
	{"scale", (*bench).measureScale},
	{"run", (*bench).measureRuns},
	{"recovery", (*bench).measureRecovery},
}

func main() {
	// The other things that this program is: a holder process, and a worker.
	if holder.Main(os.Args[1:]) {
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if len(os.Args) == 4 && os.Args[1] == workCommand {
		exitOn(serveWork(ctx, os.Args[2], os.Args[3]))
		return
	}
	var names []string
	for _, s := range sections {
		names = append(names, s.name)
	}
	only := flag.String("only", strings.Join(names, ","), "measure these `sections`; the others keep the figures that they have")
	against := flag.String("against", "", "measure this other build of this `program` too, as \"before\"")
	quick := flag.Bool("quick", false, "measure little, to see whether all works")
	write := flag.Bool("write", false, "write "+dataFile+", the page and the plots, unless quick")
	page := flag.Bool("page", false, "measure nothing, and write the page and the plots anew")
	flag.Parse()
	if *page {
		exitOn(writeAgain())
		return
	}
	exitOn(measure(ctx, strings.Split(*only, ","), *against, *quick, *write && !*quick))
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func measure(ctx context.Context, only []string, against string, quick, write bool) error {
	b, err := newBench(ctx, against, quick)
	if err != nil {
		return err
	}
	defer b.close()
	if write {
		if old, err := readData(); err == nil {
			b.data.keep(old)
		}
	}
	for _, s := range sections {
		if !slices.Contains(only, s.name) {
			continue
		}
		fmt.Fprintf(os.Stderr, "==> %s (load %s)\n", s.name, loadText())
		if err := s.run(b, ctx); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	fmt.Print(tables(b.data))
	if !write {
		return nil
	}
	return writeAll(b.data)
}
