package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// RunTable is what whole runs of Terraform cost with so many resources.
type RunTable struct {
	N    int      `json:"n"`
	Rows []RunRow `json:"rows"`
}

// RunRow is that of one kind of resource.
type RunRow struct {
	Name     string  `json:"name"`
	Apply    Span    `json:"apply_ms"`
	Destroy  Span    `json:"destroy_ms"`
	Ratio    Span    `json:"ratio"` // of both together, to the first row's
	Requests float64 `json:"requests"`
	Provider float64 `json:"provider_bytes"` // the most that one process took
	Holder   float64 `json:"holder_bytes"`
}

// resources are what the runs create: count stands for how many.
var resources = []struct{ name, config string }{
	{"terraform_data", `
resource "terraform_data" "a" {
  count = COUNT
  input = "lock-${count.index}"
}
`},
	{`clocker_lock, "run_ends"`, `
resource "clocker_lock" "a" {
  count  = COUNT
  lockid = "lock-${count.index}"
}
`},
	{`clocker_lock, "destroyed"`, `
resource "clocker_lock" "a" {
  count      = COUNT
  lockid     = "lock-${count.index}"
  hold_until = "destroyed"
}
`},
}

// measureRuns compares apply and destroy of our locks to those of a resource that
// does nothing.
func (b *bench) measureRuns(ctx context.Context) error {
	t, err := newTerraform(ctx, b.server.Addr())
	if err != nil {
		return err
	}
	defer t.close()
	b.data.CLI, b.data.Runs = t.version, nil
	for _, size := range []struct{ n, rounds int }{{1, b.pick(15, 1)}, {100, b.pick(7, 1)}, {b.pick(1000, 10), b.pick(3, 1)}} {
		table, err := b.compareRuns(ctx, t, size.n, size.rounds)
		if err != nil {
			return err
		}
		b.data.Runs = append(b.data.Runs, table)
	}
	return nil
}

func (b *bench) compareRuns(ctx context.Context, t *terraform, n, rounds int) (RunTable, error) {
	table := RunTable{N: n, Rows: make([]RunRow, len(resources))}
	apply, destroy := make([][]float64, len(resources)), make([][]float64, len(resources))
	ratios := make([][]float64, len(resources))
	for round := range rounds {
		for i, r := range resources {
			a, d, err := t.applyAndDestroy(ctx, strings.ReplaceAll(r.config, "COUNT", fmt.Sprint(n)), nil)
			if err != nil {
				return table, err
			}
			apply[i], destroy[i] = append(apply[i], a), append(destroy[i], d)
			ratios[i] = append(ratios[i], (a+d)/(apply[0][round]+destroy[0][round]))
		}
	}
	for i, r := range resources {
		row := RunRow{Name: r.name, Apply: spanOf(apply[i]), Destroy: spanOf(destroy[i]), Ratio: spanOf(ratios[i])}
		// Once more, with an eye on the processes and the server, which takes time.
		before, err := b.server.PacketsReceived(ctx)
		if err != nil {
			return table, err
		}
		var seen peaks
		if _, _, err := t.applyAndDestroy(ctx, strings.ReplaceAll(r.config, "COUNT", fmt.Sprint(n)), &seen); err != nil {
			return table, err
		}
		after, err := b.server.PacketsReceived(ctx)
		if err != nil {
			return table, err
		}
		row.Requests = float64(after-before) / float64(n)
		row.Provider, row.Holder = float64(seen.provider), float64(seen.holder)
		table.Rows[i] = row
	}
	return table, nil
}

// applyAndDestroy runs both in a directory of its own, and gives their milliseconds.
func (t *terraform) applyAndDestroy(ctx context.Context, config string, seen *peaks) (apply, destroy float64, err error) {
	w, err := t.workspace(config)
	if err != nil {
		return 0, 0, err
	}
	defer w.remove()
	if seen != nil {
		defer t.watch(seen)()
	}
	begin := time.Now()
	if err := w.run(ctx, "apply"); err != nil {
		return 0, 0, err
	}
	apply = since(begin)
	begin = time.Now()
	err = w.run(ctx, "destroy")
	return apply, since(begin), err
}
