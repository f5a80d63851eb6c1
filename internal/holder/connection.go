package holder

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
)

const (
	// pulse is how often a holder that is waited for is asked for a sign of life,
	// and patience how many of these may pass without one.
	pulse         = 5 * time.Second
	maxUnanswered = 3
)

// errNotServed says that whoever listens at the address is about to end.
var errNotServed = errors.New("holder: the process that holds this run's locks is about to end")

// remote is a connection to the run's holder process.
type remote struct {
	*link
	pid   int            // of the holder
	notes func([]string) // takes what the user is to be told

	heard atomic.Bool   // since the last pulse
	down  chan struct{} // closed when the connection is of no use any more
	err   error         // why; valid then

	mu    sync.Mutex
	last  uint64 // id of a call
	calls map[uint64]*call
	given map[uint64]bool // acquires that were given up
}

// call is a request that has not been answered.
type call struct {
	waiting chan locker.Waiting
	done    chan answer
}

// hello begins a connection.
func hello(conn net.Conn, first message, p *Process) (*remote, error) {
	r := &remote{link: newLink(conn), notes: p.note, down: make(chan struct{}), calls: make(map[uint64]*call), given: make(map[uint64]bool)}
	_ = conn.SetReadDeadline(time.Now().Add(helloTime))
	err := r.send(first)
	var a answer
	if err == nil {
		err = r.receive(&a)
	}
	if err != nil {
		pid := pidOf(conn)
		_ = conn.Close()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, &SilentError{pid}
		}
		return nil, fmt.Errorf("%w: %w", errNotServed, err)
	}
	_ = conn.SetReadDeadline(time.Time{})
	r.pid = a.PID
	go r.read()
	go r.watch(p.pulse)
	return r, nil
}

func (r *remote) alive() bool {
	select {
	case <-r.down:
		return false
	default:
		return true
	}
}

// fail ends the connection, and all calls by err.
func (r *remote) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.alive() {
		r.err = err
		close(r.down)
		_ = r.conn.Close()
	}
}

// ended makes the error of a connection that broke, which may be known already.
func (r *remote) ended(err error) error {
	r.fail(fmt.Errorf("%w unexpectedly: %w", ErrEnded, err))
	return r.err
}

// read takes the answers.
func (r *remote) read() {
	for {
		var a answer
		if err := r.receive(&a); err != nil {
			_ = r.ended(err)
			return
		}
		r.heard.Store(true)
		if len(a.Notes) > 0 {
			r.notes(a.Notes)
		}
		r.mu.Lock()
		c, givenUp := r.calls[a.ID], r.given[a.ID]
		if givenUp && a.Waiting == nil {
			delete(r.given, a.ID)
		}
		r.mu.Unlock()
		switch {
		case givenUp && a.Waiting == nil && a.Grant.ID != "":
			// Nobody knows of this grant any more.
			id, _ := r.begin()
			_ = r.send(message{ID: id, Op: opRelease, Znode: &Znode{Path: a.Grant.Znode, Grant: a.Grant.ID}})
			r.forget(id)
		case c == nil:
		case a.Waiting != nil:
			select {
			case c.waiting <- *a.Waiting:
			default: // the last one has yet to be told
			}
		default:
			c.done <- a // which has room, and is sent once
			r.forget(a.ID)
		}
	}
}

// watch asks for a sign of life while a call is not answered, and ends the
// connection when none comes. It counts rather than looking at the clock: this
// process may be stopped, too.
func (r *remote) watch(pulse time.Duration) {
	tick := time.NewTicker(pulse)
	defer tick.Stop()
	unanswered := 0
	for {
		select {
		case <-tick.C:
		case <-r.down:
			return
		}
		r.mu.Lock()
		idle := len(r.calls) == 0
		r.mu.Unlock()
		if r.heard.Swap(false) || idle {
			unanswered = 0
		} else if unanswered++; unanswered > maxUnanswered {
			r.fail(&SilentError{r.pid})
			return
		}
		if !idle {
			_ = r.send(message{Op: opPing})
		}
	}
}

func (r *remote) begin() (id uint64, c *call) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last++
	c = &call{waiting: make(chan locker.Waiting, 1), done: make(chan answer, 1)}
	r.calls[r.last] = c
	return r.last, c
}

func (r *remote) forget(id uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.calls, id)
}

// giveUp takes note that the end of an acquire is not waited for any more.
func (r *remote) giveUp(id uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.calls, id)
	r.given[id] = true
}

// ask sends one request and waits for its answer.
func (r *remote) ask(ctx context.Context, m message) (answer, error) {
	id, c := r.begin()
	defer r.forget(id)
	m.ID = id
	if err := r.send(m); err != nil {
		return answer{}, r.ended(err)
	}
	select {
	case a := <-c.done:
		return a, a.Failure.err()
	case <-r.down:
		return answer{}, r.err
	case <-ctx.Done():
		return answer{}, fmt.Errorf("holder: %w", context.Cause(ctx))
	}
}
