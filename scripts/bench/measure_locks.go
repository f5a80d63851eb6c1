package main

import (
	"context"
	"fmt"
	"time"
)

// delay is what is added to each round trip, half of it each way.
const delay = 5 * time.Millisecond

// measurePairs compares the lock that nobody else wants.
func (b *bench) measurePairs(ctx context.Context) error {
	all, stop, err := b.contestants(ctx, true, "go-zookeeper", "process", "holder", "locker", "multis")
	if err != nil {
		return err
	}
	defer stop()
	near, err := b.comparePairs(ctx, "A pair of acquire and release", all, b.server.Addr(), b.pick(80, 3), 40)
	if err != nil {
		return err
	}
	for i, c := range all {
		err := b.count(ctx, &near.Rows[i], b.pick(200, 10), func(server string, n int) error {
			var times []float64
			return c.do(&times, "pair", server, "count", n)
		})
		if err != nil {
			return err
		}
	}
	away, err := newProxy(ctx, b.server.Addr(), delay/2)
	if err != nil {
		return err
	}
	defer away.close()
	far, err := b.comparePairs(ctx, fmt.Sprintf("The same, with %v added to each round trip", delay), all, away.addr(), b.pick(40, 2), 10)
	if err != nil {
		return err
	}
	b.data.Pairs = []Comparison{near, far}
	return nil
}

func (b *bench) comparePairs(ctx context.Context, title string, all []*contestant, server string, rounds, each int) (Comparison, error) {
	return compare(ctx, title, rounds, each, all, func(c *contestant) (times []float64, err error) {
		return times, c.do(&times, "pair", server, "pair", each)
	})
}

// crowds are the numbers of contenders in the hand-off.
var crowds = []int{4, 10, 100}

// measureHandoffs compares the lock that many want.
func (b *bench) measureHandoffs(ctx context.Context) error {
	b.data.Handoffs = nil
	for _, way := range []struct{ work, title string }{
		{"settled", "A hand-off among %d, when all others wait"},
		{"storm", "A hand-off among %d, who queue anew at once"},
	} {
		for _, contenders := range crowds {
			// Anew for each, so that no sessions of the last one are about.
			all, stop, err := b.contestants(ctx, way.work == "storm" && contenders <= 10, "go-zookeeper", "locker", "holder")
			if err != nil {
				return err
			}
			table, err := b.compareHandoffs(ctx, fmt.Sprintf(way.title, contenders), way.work, contenders, all)
			stop()
			if err != nil {
				return err
			}
			b.data.Handoffs = append(b.data.Handoffs, table)
		}
	}
	return b.measureDistantHandoff(ctx)
}

// measureDistantHandoff compares the hand-off where not the processor counts, but the
// way to the server.
func (b *bench) measureDistantHandoff(ctx context.Context) error {
	all, stop, err := b.contestants(ctx, false, "go-zookeeper", "locker", "holder")
	if err != nil {
		return err
	}
	defer stop()
	away, err := newProxy(ctx, b.server.Addr(), delay/2)
	if err != nil {
		return err
	}
	defer away.close()
	const contenders = 10
	each := b.pick(20, 5)
	title := fmt.Sprintf("A hand-off among %d, with %v added to each round trip", contenders, delay)
	table, err := compare(ctx, title, b.pick(10, 2), each, all, func(c *contestant) (times []float64, err error) {
		return times, c.do(&times, "distant", away.addr(), "distant", contenders, each)
	})
	b.data.Handoffs = append(b.data.Handoffs, table)
	return err
}

func (b *bench) compareHandoffs(ctx context.Context, title, work string, contenders int, all []*contestant) (Comparison, error) {
	each := b.pick(60, 10)
	handoff := func(c *contestant, server string, n int) (times []float64, err error) {
		return times, c.do(&times, work, server, work, contenders, n)
	}
	table, err := compare(ctx, title, b.pick(20, 2), each, all, func(c *contestant) ([]float64, error) {
		return handoff(c, b.server.Addr(), each)
	})
	if err != nil {
		return table, err
	}
	for i, c := range all {
		err := b.count(ctx, &table.Rows[i], b.pick(300, 20), func(server string, n int) error {
			_, err := handoff(c, server, n)
			return err
		})
		if err != nil {
			return table, err
		}
	}
	return table, nil
}
