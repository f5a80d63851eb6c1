package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"
)

// Scaled is what many locks, or many waiters, cost.
type Scaled struct {
	N          int     `json:"n"`
	Take       float64 `json:"take_ms"`    // until all are held, or wait
	Give       float64 `json:"give_ms"`    // until all are given up
	Memory     float64 `json:"memory"`     // bytes of each: heap and stacks
	Goroutines float64 `json:"goroutines"` // of each
	Requests   float64 `json:"requests"`   // of each, to take and to give, as the server counts
}

// atOnce is how many locks are asked for at a time, which is Terraform's
// -parallelism.
const atOnce = 10

// locks takes many locks with one session, and then gives them up: SERVER NAME N.
func (w *worker) locks(ctx context.Context, arguments []string) (any, error) {
	n, err := numbers(arguments, 1)
	if err != nil {
		return nil, err
	}
	c, err := w.client(ctx, arguments[0], 0)
	if err != nil {
		return nil, err
	}
	mutexes := make([]mutex, n[0])
	for i := range mutexes {
		mutexes[i] = c.mutex(fmt.Sprintf("%s-%d", arguments[1], i))
	}
	// The session is not among what a lock takes, nor is what the first one makes.
	if err := each([]mutex{c.mutex(arguments[1])}, 1, func(m mutex) error { return errors.Join(m.lock(ctx), m.unlock(ctx)) }); err != nil {
		return nil, err
	}
	before := footprint()
	begin := time.Now()
	if err := each(mutexes, atOnce, func(m mutex) error { return m.lock(ctx) }); err != nil {
		return nil, err
	}
	scaled := Scaled{N: n[0], Take: since(begin)}
	scaled.weigh(before)
	begin = time.Now()
	err = each(mutexes, atOnce, func(m mutex) error { return m.unlock(ctx) })
	scaled.Give = since(begin)
	return scaled, err
}

// waiters lets many wait for one lock that is held, and then has each take it and
// give it up: SERVER NAME N SESSIONS.
func (w *worker) waiters(ctx context.Context, arguments []string) (any, error) {
	n, err := numbers(arguments, 2)
	if err != nil {
		return nil, err
	}
	if err := w.connect(ctx, arguments[0], n[1]); err != nil {
		return nil, err
	}
	watcher, err := newObserver(ctx, w.server)
	if err != nil {
		return nil, err
	}
	defer watcher.close()
	r := &relay{want: n[0], entered: make(chan struct{})}
	first, err := w.client(ctx, arguments[0], 0)
	if err != nil {
		return nil, err
	}
	holder := first.mutex(arguments[1])
	if err := holder.lock(ctx); err != nil {
		return nil, err
	}
	before := footprint()
	begin := time.Now()
	var scaled Scaled
	_, err = r.run(n[0]+1, func(i int) error {
		if i == 0 {
			if err := watcher.awaitQueue(ctx, w.kind.dir+arguments[1], n[0]+1, settleTime); err != nil {
				return err
			}
			scaled = Scaled{N: n[0], Take: since(begin)}
			scaled.weigh(before)
			begin = time.Now()
			return holder.unlock(ctx)
		}
		c, err := w.client(ctx, arguments[0], i%n[1])
		if err != nil {
			return err
		}
		return r.contend(ctx, c.mutex(arguments[1]))
	})
	scaled.Give = since(begin)
	return scaled, err
}

// each does something to all, a number of them at a time.
func each(mutexes []mutex, atOnce int, do func(mutex) error) error {
	var (
		wg    sync.WaitGroup
		slots = make(chan struct{}, atOnce)
		errs  = make(chan error, len(mutexes))
	)
	for _, m := range mutexes {
		slots <- struct{}{}
		wg.Go(func() {
			errs <- do(m)
			<-slots
		})
	}
	wg.Wait()
	close(errs)
	var all []error
	for err := range errs {
		all = append(all, err)
	}
	return errors.Join(all...)
}

// weight is what this process occupies.
type weight struct {
	bytes      uint64
	goroutines int
}

func footprint() weight {
	runtime.GC()
	runtime.GC() // The first may leave what the second finds.
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return weight{m.HeapAlloc + m.StackInuse, runtime.NumGoroutine()}
}

func (s *Scaled) weigh(before weight) {
	now := footprint()
	s.Memory = (float64(now.bytes) - float64(before.bytes)) / float64(s.N)
	s.Goroutines = float64(now.goroutines-before.goroutines) / float64(s.N)
}
