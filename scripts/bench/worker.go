// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// A worker is a process that measures one kind of client, so that none has
// another's memory or goroutines beside its own. A line of its standard input
// says what to do, as COMMAND SERVER LOCK NUMBER, and a line of JSON on its standard
// output is what that gave. Kazoo's worker, kazoo.py, does the same.
const workCommand = "work"

// worker is this process as one.
type worker struct {
	kind     kind
	server   string         // itself, past all relays
	observer *zktest.Client // of that
	clients  map[string]client
	held     mutex // what those who have queued wait for
	queue    *queue
}

// works are what a worker can do.
var works = map[string]func(w *worker, ctx context.Context, server, lock string, n int) (any, error){
	"pair":  (*worker).pair,
	"queue": (*worker).wait,
	"drain": (*worker).drain,
}

// serveWork does what standard input says, until that ends.
func serveWork(ctx context.Context, name, server string) error {
	observer, err := zktest.Dial([]string{server}, "", sessionTimeout)
	if err != nil {
		return err
	}
	defer observer.Close()
	w := &worker{kind: kinds[name], server: server, observer: observer, clients: map[string]client{}}
	defer w.closeAll()
	out, lines := json.NewEncoder(os.Stdout), bufio.NewReader(os.Stdin)
	for {
		var (
			command, server, lock string
			n                     int
		)
		if _, err := fmt.Fscan(lines, &command, &server, &lock, &n); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		answer, err := works[command](w, ctx, server, lock, n)
		if err != nil {
			return fmt.Errorf("%s: %w", command, err)
		}
		if err := out.Encode(answer); err != nil {
			return err
		}
	}
}

// client is the one with that number for a server. Sessions are kept.
func (w *worker) client(ctx context.Context, server string, number int) (client, error) {
	key := fmt.Sprintf("%s %d", server, number)
	if c, ok := w.clients[key]; ok {
		return c, nil
	}
	c, err := w.kind.open(ctx, server)
	if err == nil {
		w.clients[key] = c
	}
	return c, err
}

func (w *worker) closeAll() {
	for _, c := range w.clients {
		c.close()
	}
	clear(w.clients)
}

// mutexes are the lock as so many sessions have it.
func (w *worker) mutexes(ctx context.Context, server, lock string, n int) ([]mutex, error) {
	all := make([]mutex, n)
	for i := range all {
		c, err := w.client(ctx, server, i)
		if err != nil {
			return nil, err
		}
		all[i] = c.mutex(lock)
	}
	return all, nil
}

// pair takes and releases a lock that nobody else wants, n times. It gives the
// milliseconds of each time.
func (w *worker) pair(ctx context.Context, server, lock string, n int) (any, error) {
	all, err := w.mutexes(ctx, server, lock, 1)
	if err != nil {
		return nil, err
	}
	times := make([]float64, n)
	for i := range times {
		begin := time.Now()
		if err := all[0].lock(ctx); err != nil {
			return nil, err
		}
		if err := all[0].unlock(ctx); err != nil {
			return nil, err
		}
		times[i] = since(begin)
	}
	return times, nil
}

// wait lets n new sessions wait for a lock that another one holds. It gives the bytes of
// each of them as it waits, and those of its session.
func (w *worker) wait(ctx context.Context, server, lock string, n int) (any, error) {
	w.closeAll()
	first, err := w.kind.open(ctx, w.server)
	if err != nil {
		return nil, err
	}
	w.clients["first"] = first
	w.held, w.queue = first.mutex(lock), &queue{}
	if err := w.held.lock(ctx); err != nil {
		return nil, err
	}
	nothing := footprint()
	all, err := w.mutexes(ctx, server, lock, n)
	if err != nil {
		return nil, err
	}
	sessions := footprint()
	for _, m := range all {
		w.queue.running.Go(func() { w.queue.contend(ctx, m) })
	}
	err = w.observer.AwaitQueue(ctx, w.kind.dir+lock, n+1)
	time.Sleep(settleTime + time.Duration(n)*time.Millisecond) // until each watches the one before it
	return [2]float64{(footprint() - sessions) / float64(n), (sessions - nothing) / float64(n)}, err
}

// drain lets all who wait take the lock and release it. It gives the milliseconds of
// each hand-off.
func (w *worker) drain(ctx context.Context, _, _ string, _ int) (any, error) {
	w.queue.released = time.Now()
	err := w.held.unlock(ctx)
	w.queue.running.Wait()
	return w.queue.times, errors.Join(err, w.queue.err)
}

// queue is those who wait for a lock, and the check that one holds it at a time.
type queue struct {
	running  sync.WaitGroup
	mu       sync.Mutex
	inside   int
	released time.Time // when the last release began
	times    []float64
	err      error
}

// contend takes the lock and releases it.
func (q *queue) contend(ctx context.Context, m mutex) {
	err := m.lock(ctx)
	now := time.Now()
	q.mu.Lock()
	q.times = append(q.times, milliseconds(now.Sub(q.released)))
	if q.inside++; q.inside > 1 {
		err = errors.Join(err, errOverlap)
	}
	q.err = errors.Join(q.err, err)
	q.mu.Unlock()
	if err != nil {
		return
	}
	q.mu.Lock()
	q.inside--
	q.released = time.Now()
	q.mu.Unlock()
	if err := m.unlock(ctx); err != nil {
		q.mu.Lock()
		q.err = errors.Join(q.err, err)
		q.mu.Unlock()
	}
}

var errOverlap = errors.New("two held one lock")

// footprint is the memory that this process needs: heap and stacks.
func footprint() float64 {
	runtime.GC()
	runtime.GC() // The first may leave what the second finds.
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc + m.StackInuse)
}
