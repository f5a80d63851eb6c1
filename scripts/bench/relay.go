package main

import (
	"context"
	"errors"
	"sync"
	"time"
)

// relay is a lock that goes from hand to hand, and the check that it is in one
// hand at a time.
type relay struct {
	want   int          // how many times to take
	again  bool         // who has released queues anew, until there are enough
	settle func() error // if not nil, waits until all others are queued

	mu      sync.Mutex
	inside  int
	begin   time.Time // of the last release
	times   []float64
	overlap bool
	entered chan struct{} // closed and replaced when one has taken the lock
}

var errOverlap = errors.New("two held one lock")

// run runs the contenders and returns the times.
func (r *relay) run(contenders int, contend func(int) error) ([]float64, error) {
	errs := make(chan error, contenders)
	for i := range contenders {
		go func() { errs <- contend(i) }()
	}
	var err error
	for range contenders {
		if err = <-errs; err != nil {
			return nil, err // The others may wait in vain.
		}
	}
	if r.overlap {
		return nil, errOverlap
	}
	return r.times, nil
}

// contend takes the lock and gives it up.
func (r *relay) contend(ctx context.Context, m mutex) error {
	for {
		if err := m.lock(ctx); err != nil {
			return err
		}
		enough := r.enter()
		if r.settle != nil && !enough {
			if err := r.settle(); err != nil {
				return err
			}
		}
		next := r.leave()
		if err := m.unlock(ctx); err != nil {
			return err
		}
		if enough || !r.again {
			return nil
		}
		if r.settle == nil {
			continue
		}
		select {
		case <-next:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (r *relay) enter() (enough bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.inside++; r.inside > 1 {
		r.overlap = true
	}
	if !r.begin.IsZero() && len(r.times) < r.want {
		r.times = append(r.times, since(r.begin))
	}
	close(r.entered)
	r.entered = make(chan struct{})
	return len(r.times) >= r.want
}

// leave returns what is closed when the next one has entered.
func (r *relay) leave() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inside--
	r.begin = time.Now()
	return r.entered
}

func since(begin time.Time) float64 { return float64(time.Since(begin)) / float64(time.Millisecond) }
