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
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// A worker is a process that measures one kind of client, so that none has
// another's memory or goroutines beside its own. A line of its standard input
// says what to do, and a line of JSON on its standard output is what that gave.
// Kazoo's worker, kazoo.py, does the same.
const workCommand = "work"

// works are what a worker can do.
var works = map[string]func(w *worker, ctx context.Context, arguments []string) (any, error){
	"pair":  (*worker).pair,
	"queue": (*worker).queue,
	"drain": (*worker).drain,
}

// worker is this process as one.
type worker struct {
	kind    kind
	server  string // to look from, past all proxies
	clients map[string]client
	waiting func() ([]float64, error) // lets those who have queued have the lock
}

// serveWork does what standard input says, until that ends.
func serveWork(ctx context.Context, name, server string) error {
	w := &worker{kind: kinds[name], server: server, clients: map[string]client{}}
	defer func() {
		for _, c := range w.clients {
			c.close()
		}
	}()
	out := json.NewEncoder(os.Stdout)
	lines := bufio.NewReader(os.Stdin)
	for {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		fields := strings.Fields(line)
		if len(fields) == 0 || works[fields[0]] == nil {
			return fmt.Errorf("no such work: %q", line)
		}
		answer, err := works[fields[0]](w, ctx, fields[1:])
		if err != nil {
			return fmt.Errorf("%s: %w", strings.TrimSpace(line), err)
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

// numberIn is the number behind the server and the lock.
func numberIn(arguments []string) (int, error) {
	if len(arguments) != 3 {
		return 0, fmt.Errorf("%d arguments, want 3", len(arguments))
	}
	return strconv.Atoi(arguments[2])
}

// pair takes and releases a lock that nobody else wants: SERVER LOCK N. It gives the
// milliseconds of each time.
func (w *worker) pair(ctx context.Context, arguments []string) (any, error) {
	n, err := numberIn(arguments)
	if err != nil {
		return nil, err
	}
	all, err := w.mutexes(ctx, arguments[0], arguments[1], 1)
	if err != nil {
		return nil, err
	}
	times := make([]float64, n)
	for i := range times {
		begin := time.Now()
		if err := errors.Join(all[0].lock(ctx), all[0].unlock(ctx)); err != nil {
			return nil, err
		}
		times[i] = since(begin)
	}
	return times, nil
}

// queue lets sessions wait for a lock that is held: SERVER LOCK SESSIONS. It gives the
// bytes of each, and those of its session. The sessions are new.
func (w *worker) queue(ctx context.Context, arguments []string) (any, error) {
	n, err := numberIn(arguments)
	if err != nil {
		return nil, err
	}
	observer, err := zktest.Dial([]string{w.server}, "", sessionTimeout)
	if err != nil {
		return nil, err
	}
	defer observer.Close()
	held, err := w.mutexes(ctx, w.server, arguments[1], 1)
	if err == nil {
		err = held[0].lock(ctx)
	}
	if err != nil {
		return nil, err
	}
	for key, c := range w.clients {
		if strings.HasPrefix(key, arguments[0]+" ") {
			c.close()
			delete(w.clients, key)
		}
	}
	nothing := footprint()
	all, err := w.mutexes(ctx, arguments[0], arguments[1], n)
	if err != nil {
		return nil, err
	}
	var (
		sessions = footprint()
		q        queue
		wg       sync.WaitGroup
	)
	for _, m := range all {
		wg.Go(func() { q.contend(ctx, m) })
	}
	err = observer.AwaitQueue(ctx, w.kind.dir+arguments[1], n+1)
	time.Sleep(settleTime + time.Duration(n)*time.Millisecond) // until each watches the one before it
	w.waiting = func() ([]float64, error) {
		q.inside, q.released = 0, time.Now()
		err := held[0].unlock(ctx)
		wg.Wait()
		return q.times, errors.Join(err, q.err)
	}
	return [2]float64{(footprint() - sessions) / float64(n), (sessions - nothing) / float64(n)}, err
}

// drain lets all who have queued take the lock and release it. It gives the
// milliseconds of each hand-off.
func (w *worker) drain(context.Context, []string) (any, error) { return w.waiting() }

// queue is those who wait for a lock, and the check that one holds it at a time.
type queue struct {
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
