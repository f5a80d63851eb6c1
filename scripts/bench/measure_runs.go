package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
)

// RunTable is what whole runs of Terraform cost with so many resources.
type RunTable struct {
	N    int      `json:"n"`
	Rows []RunRow `json:"rows"`
	// Held is from the start of an apply to the moment at which another client sees
	// the lock held, where there is one lock.
	Held *Span `json:"held_ms,omitempty"`
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
	CPU      CPU     `json:"cpu_ms"`
}

// CPU is where the processor time of both runs went, in milliseconds. What a plugin or
// a holder did in its last moments, before nobody saw it any more, is Terraform's for
// the one and missing for the other.
type CPU struct {
	Terraform float64 `json:"terraform"`
	Provider  float64 `json:"provider"`
	Holder    float64 `json:"holder"`
}

const runEnds = `
resource "clocker_lock" "a" {
  count  = COUNT
  lockid = "lock-${count.index}"
}
`

// resources are what the runs create: count stands for how many.
var resources = []struct{ name, config string }{
	{"terraform_data", `
resource "terraform_data" "a" {
  count = COUNT
  input = "lock-${count.index}"
}
`},
	{`clocker_lock, "run_ends"`, runEnds},
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
		s := newSeen()
		if _, _, err := t.applyAndDestroy(ctx, strings.ReplaceAll(r.config, "COUNT", fmt.Sprint(n)), s); err != nil {
			return table, err
		}
		after, err := b.server.PacketsReceived(ctx)
		if err != nil {
			return table, err
		}
		row.Requests = float64(after-before) / float64(n)
		row.Provider, row.Holder = float64(s.provider.memory), float64(s.holder.memory)
		provider := s.provider.milliseconds()
		row.CPU = CPU{
			Terraform: float64(s.cpu)/float64(time.Millisecond) - provider,
			Provider:  provider,
			Holder:    s.holder.milliseconds(),
		}
		table.Rows[i] = row
	}
	if n > 1 {
		return table, nil
	}
	var times []float64
	for range rounds {
		took, err := b.untilHeld(ctx, t)
		if err != nil {
			return table, err
		}
		times = append(times, took)
	}
	held := spanOf(times)
	table.Held = &held
	return table, nil
}

// untilHeld gives the milliseconds from the start of an apply to its holding the lock.
func (b *bench) untilHeld(ctx context.Context, t *terraform) (float64, error) {
	o, err := newObserver(ctx, b.server.Addr())
	if err != nil {
		return 0, err
	}
	defer o.close()
	w, err := t.workspace(strings.ReplaceAll(runEnds, "COUNT", "1"))
	if err != nil {
		return 0, err
	}
	defer w.remove()
	ended := make(chan error, 1)
	begin := time.Now()
	go func() {
		_, err := w.run(ctx, "apply")
		ended <- err
	}()
	err = o.awaitQueue(ctx, locker.Directory("/bench", locker.DefaultRoot, "lock-0"), 1, 0)
	took := since(begin)
	return took, errors.Join(err, <-ended)
}

// applyAndDestroy runs both in a directory of its own, and gives their milliseconds.
func (t *terraform) applyAndDestroy(ctx context.Context, config string, s *seen) (apply, destroy float64, err error) {
	w, err := t.workspace(config)
	if err != nil {
		return 0, 0, err
	}
	defer w.remove()
	if s != nil {
		defer t.watch(s)()
	}
	begin := time.Now()
	first, err := w.run(ctx, "apply")
	if err != nil {
		return 0, 0, err
	}
	apply = since(begin)
	begin = time.Now()
	second, err := w.run(ctx, "destroy")
	if s != nil {
		s.cpu = first + second
	}
	return apply, since(begin), err
}
