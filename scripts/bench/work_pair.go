package main

import (
	"context"
	"time"
)

// pair takes and releases a lock that nobody else wants: SERVER NAME N. It gives
// the milliseconds of each time.
func (w *worker) pair(ctx context.Context, arguments []string) (any, error) {
	n, err := numbers(arguments, 1)
	if err != nil {
		return nil, err
	}
	c, err := w.client(ctx, arguments[0], 0)
	if err != nil {
		return nil, err
	}
	m := c.mutex(arguments[1])
	times := make([]float64, n[0])
	for i := range times {
		begin := time.Now()
		if err := m.lock(ctx); err != nil {
			return nil, err
		}
		if err := m.unlock(ctx); err != nil {
			return nil, err
		}
		times[i] = since(begin)
	}
	return times, nil
}

// storm lets contenders with a session each take a lock, give it up and queue anew
// at once: SERVER NAME CONTENDERS N. It gives the milliseconds from the begin of a
// release to the next one's holding, N times.
func (w *worker) storm(ctx context.Context, arguments []string) (any, error) {
	return w.relay(ctx, arguments, 0)
}

// settled is storm with pauses: a release begins when all others wait, and who has
// released queues anew when the next one holds the lock.
func (w *worker) settled(ctx context.Context, arguments []string) (any, error) {
	return w.relay(ctx, arguments, settleTime)
}

// distant is settled with the delay in between, for which pauses are longer.
func (w *worker) distant(ctx context.Context, arguments []string) (any, error) {
	return w.relay(ctx, arguments, settleTime+4*delay)
}

func (w *worker) relay(ctx context.Context, arguments []string, pause time.Duration) (any, error) {
	n, err := numbers(arguments, 2)
	if err != nil {
		return nil, err
	}
	if err := w.connect(ctx, arguments[0], n[0]); err != nil {
		return nil, err
	}
	r := &relay{want: n[1], again: true, entered: make(chan struct{})}
	if pause > 0 {
		watcher, err := newObserver(ctx, w.server)
		if err != nil {
			return nil, err
		}
		defer watcher.close()
		r.settle = func() error { return watcher.awaitQueue(ctx, w.kind.dir+arguments[1], n[0], pause) }
	}
	return r.run(n[0], func(i int) error {
		c, err := w.client(ctx, arguments[0], i)
		if err != nil {
			return err
		}
		return r.contend(ctx, c.mutex(arguments[1]))
	})
}

// connect opens the sessions beforehand.
func (w *worker) connect(ctx context.Context, server string, n int) error {
	for i := range n {
		if _, err := w.client(ctx, server, i); err != nil {
			return err
		}
	}
	return nil
}
