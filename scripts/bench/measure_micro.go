// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// delay is what is added to each round trip, half of it each way.
const delay = 5 * time.Millisecond

// measureMicro measures what is below a run: to take and release a lock that nobody else
// wants, in processes that have their sessions already.
func (b *bench) measureMicro(ctx context.Context) error {
	all, stop, err := b.contestants(ctx, true, "go-zookeeper", "process", "locker")
	defer stop()
	if err != nil {
		return err
	}
	counting, err := zktest.StartRelay(ctx, b.server.Addr())
	if err != nil {
		return err
	}
	defer counting.Close()
	away, err := zktest.StartRelay(ctx, b.server.Addr())
	if err != nil {
		return err
	}
	defer away.Close()
	away.Delay(delay / 2)
	lock := b.newLock()
	pairs := func(server string, rounds, each int) ([]Row, error) {
		return interleave(ctx, namesOfAll(all), rounds, func(i int) (float64, error) {
			var times []float64
			err := all[i].do(&times, "pair", server, lock, each)
			return quantile(times, 0.5), err
		})
	}
	near := Table{Title: "To take and release a lock"}
	if near.Rows, err = pairs(b.server.Addr(), b.times(80), 40); err != nil {
		return err
	}
	far := Table{Title: "The same, with 5 ms added to each round trip"}
	if far.Rows, err = pairs(away.Addr(), b.times(30), 10); err != nil {
		return err
	}
	const counted = 100
	for i, c := range all {
		var times []float64
		for _, n := range []int{1, counted} { // The first opens the session.
			counting.Count()
			if err := c.do(&times, "pair", counting.Addr(), lock, n); err != nil {
				return err
			}
		}
		requests := per(counting.Count(), counted)
		near.Rows[i].Requests = &requests
	}
	b.data.Micro = []Table{near, far}
	return nil
}

func namesOfAll(all []*contestant) []string {
	var names []string
	for _, c := range all {
		names = append(names, c.name)
	}
	return names
}
