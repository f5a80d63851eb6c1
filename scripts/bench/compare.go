package main

import (
	"context"
)

// Comparison is a table: contestants that took turns.
type Comparison struct {
	Title  string `json:"title"`
	Rounds int    `json:"rounds"`
	Each   int    `json:"each"` // operations of each contestant in each round
	Rows   []Row  `json:"rows"`
}

// compare lets the contestants take turns, another one beginning each round. do
// gives the milliseconds of each operation. The first contestant is what the
// others are compared to.
func compare(ctx context.Context, title string, rounds, each int, contestants []*contestant, do func(c *contestant) ([]float64, error)) (Comparison, error) {
	names := make([]string, len(contestants))
	samples := make([][][]float64, len(contestants))
	for round := range rounds + 1 {
		for turn := range contestants {
			i := (turn + round) % len(contestants)
			times, err := do(contestants[i])
			if err != nil {
				return Comparison{}, err
			}
			if err := ctx.Err(); err != nil {
				return Comparison{}, context.Cause(ctx)
			}
			names[i] = contestants[i].name
			if round > 0 { // The first is to warm up.
				samples[i] = append(samples[i], times)
			}
		}
	}
	return Comparison{Title: title, Rounds: rounds, Each: each, Rows: rowsOf(names, samples)}, nil
}

// count counts the requests of one operation, as they pass a proxy and as the server
// counts them: do is done for n and for twice as many, so that what comes but once
// does not count.
func (b *bench) count(ctx context.Context, row *Row, n int, do func(server string, n int) error) error {
	counting, err := newProxy(ctx, b.server.Addr(), 0)
	if err != nil {
		return err
	}
	defer counting.close()
	type tally struct {
		requests Requests
		woken    float64
		server   int64
	}
	var tallies [2]tally
	for i := range tallies {
		if i == 0 { // Opens sessions and makes directories.
			if err := do(counting.addr(), n); err != nil {
				return err
			}
		}
		counting.take()
		before, err := b.server.PacketsReceived(ctx)
		if err != nil {
			return err
		}
		if err := do(counting.addr(), (i+1)*n); err != nil {
			return err
		}
		after, err := b.server.PacketsReceived(ctx)
		if err != nil {
			return err
		}
		tallies[i].server = after - before
		tallies[i].requests, tallies[i].woken = counting.take()
	}
	once, twice := tallies[0], tallies[1]
	row.Requests = &Requests{
		All:    (twice.requests.All - once.requests.All) / float64(n),
		Writes: (twice.requests.Writes - once.requests.Writes) / float64(n),
	}
	row.Woken = (twice.woken - once.woken) / float64(n)
	row.ServerRequests = float64(twice.server-once.server) / float64(n)
	return nil
}
