package main

import (
	"context"
	"fmt"
)

// Growth is what more and more of something cost one kind of client.
type Growth struct {
	Name   string   `json:"name"`
	Points []Scaled `json:"points"`
}

const waiterSessions = 50

// measureScale measures many locks of one session, and many waiters for one lock.
// Each point is the median of some, for which the contestants take turns, each time
// in a process of their own.
func (b *bench) measureScale(ctx context.Context) error {
	locks, waiters := []int{10, 100, 1000, 10000}, []int{10, 100, 1000}
	if b.quick {
		locks, waiters = locks[:2], waiters[:2]
	}
	var err error
	b.data.Locks, err = b.grow(ctx, locks, []string{"holder", "locker", "go-zookeeper"}, func(c *contestant, server string, round, n int) (s Scaled, err error) {
		return s, c.do(&s, "locks", server, fmt.Sprintf("locks-%d-%d", round, n), n)
	})
	if err != nil {
		return err
	}
	b.data.Waiters, err = b.grow(ctx, waiters, []string{"locker", "go-zookeeper"}, func(c *contestant, server string, round, n int) (s Scaled, err error) {
		return s, c.do(&s, "waiters", server, fmt.Sprintf("waiters-%d-%d", round, n), n, waiterSessions)
	})
	return err
}

func (b *bench) grow(ctx context.Context, sizes []int, kinds []string, do func(c *contestant, server string, round, n int) (Scaled, error)) ([]Growth, error) {
	var growths []Growth
	for _, n := range sizes {
		var names []string
		samples := map[string][]Scaled{}
		for round := range b.pick(5, 1) {
			all, stop, err := b.contestants(ctx, false, kinds...)
			if err != nil {
				return nil, err
			}
			names = names[:0]
			for _, c := range all {
				s, err := do(c, b.server.Addr(), round, n)
				if err != nil {
					stop()
					return nil, err
				}
				names = append(names, c.name)
				samples[c.name] = append(samples[c.name], s)
			}
			stop()
		}
		requests, err := b.countScaled(ctx, kinds, n, do)
		if err != nil {
			return nil, err
		}
		for i, name := range names {
			if len(growths) <= i {
				growths = append(growths, Growth{Name: name})
			}
			point := medianOf(samples[name])
			point.Requests = requests[name]
			growths[i].Points = append(growths[i].Points, point)
		}
	}
	return growths, nil
}

// countScaled counts the requests of each of n, once more and through a proxy.
func (b *bench) countScaled(ctx context.Context, kinds []string, n int, do func(c *contestant, server string, round, n int) (Scaled, error)) (map[string]float64, error) {
	all, stop, err := b.contestants(ctx, false, kinds...)
	if err != nil {
		return nil, err
	}
	defer stop()
	counts := map[string]float64{}
	for _, c := range all {
		counting, err := newProxy(ctx, b.server.Addr(), 0)
		if err != nil {
			return nil, err
		}
		_, err = do(c, counting.addr(), -1, n)
		requests, _ := counting.take()
		counting.close()
		if err != nil {
			return nil, err
		}
		counts[c.name] = requests.All / float64(n)
	}
	return counts, nil
}

func medianOf(all []Scaled) Scaled {
	field := func(get func(Scaled) float64) float64 {
		var values []float64
		for _, s := range all {
			values = append(values, get(s))
		}
		return quantile(values, 0.5)
	}
	return Scaled{
		N:          all[0].N,
		Take:       field(func(s Scaled) float64 { return s.Take }),
		Give:       field(func(s Scaled) float64 { return s.Give }),
		Memory:     field(func(s Scaled) float64 { return s.Memory }),
		Goroutines: field(func(s Scaled) float64 { return s.Goroutines }),
	}
}
