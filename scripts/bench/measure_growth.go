// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// sizes are the numbers of locks in one apply, and how often each is measured.
var sizes = []struct{ locks, rounds int }{{1, 20}, {100, 7}, {1000, 3}}

// measureGrowth compares an apply with many locks to one with as many resources of
// another provider.
func (b *bench) measureGrowth(ctx context.Context) error {
	ways := []way{timeStatic, resourceBlock, ephemeralBlock}
	b.data.Growth = nil
	for _, size := range sizes {
		apply := func(i int) (float64, error) {
			o := order{way: ways[i], at: b.at, lock: b.newLock(), timeout: runTimeout, terraform: true}
			g, err := b.prepare(ctx, o)
			if err != nil {
				return 0, err
			}
			defer g.remove()
			if err := write(filepath.Join(g.dir, "main.tf"), o.way.configuration(o.lock, size.locks)); err != nil {
				return 0, err
			}
			took, err := g.time()
			return took, errors.Join(err, b.awaitReleased(ctx))
		}
		rows, err := interleave(ctx, namesOf(ways), b.times(size.rounds), apply)
		if err != nil {
			return err
		}
		for i := range rows {
			// Once more, with an eye on the processes, which takes time.
			var p peaks
			stop := b.watch(&p)
			_, err := apply(i)
			stop()
			if err != nil {
				return err
			}
			rows[i].Memory = [2]float64{float64(p.plugin), float64(p.holder)}
		}
		b.data.Growth = append(b.data.Growth, Table{N: size.locks, Rows: rows})
	}
	return nil
}

// crowds are how many runs wait for one lock.
var crowds = []int{1, 10, 100, 1000}

// measureWaiting measures hand-offs among many who wait, each with a session of its
// own, and what each costs: in memory, and in requests per hand-off.
func (b *bench) measureWaiting(ctx context.Context) error {
	b.data.Waiting = nil
	for _, crowd := range crowds {
		all, stop, err := b.contestants(ctx, false, "locker", "go-zookeeper")
		if err != nil {
			stop()
			return err
		}
		table, err := b.compareWaiting(ctx, all, crowd)
		stop()
		if err != nil {
			return err
		}
		b.data.Waiting = append(b.data.Waiting, table)
	}
	return nil
}

func (b *bench) compareWaiting(ctx context.Context, all []*contestant, crowd int) (Table, error) {
	counting, err := zktest.StartRelay(ctx, b.server.Addr())
	if err != nil {
		return Table{}, err
	}
	defer counting.Close()
	memory, requests := make([][2]float64, len(all)), make([]Requests, len(all))
	rows, err := interleave(ctx, namesOfAll(all), min(b.times(3), 3), func(i int) (float64, error) {
		if err := all[i].do(&memory[i], "queue", counting.Addr(), b.newLock(), crowd); err != nil {
			return 0, err
		}
		counting.Count()
		var times []float64
		err := all[i].do(&times, "drain", "-", "-", 0)
		requests[i] = per(counting.Count(), crowd)
		return quantile(times, 0.5), err
	})
	for i := range rows {
		rows[i].Memory, rows[i].Requests = memory[i], &requests[i]
	}
	return Table{N: crowd, Rows: rows}, err
}
