// SPDX-License-Identifier: MPL-2.0

package holder

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
)

const (
	// pulse is how often the holder process is asked for a sign of life while a call has
	// no answer.
	pulse = 5 * time.Second
	// maxUnanswered is how many such requests may have no answer.
	maxUnanswered = 3
)

// errNotServed says that the process that listens at the address is about to end.
var errNotServed = errors.New("holder: the process that holds this run's locks is about to end")

// connection is a connection to the holder process of the run.
type connection struct {
	*link
	pid   int            // of the holder
	notes func([]string) // takes messages for the user

	heard atomic.Bool   // since the last pulse
	down  chan struct{} // closed when the connection has ended
	err   error         // why; valid then

	mu    sync.Mutex
	last  uint64 // id of a call
	calls map[uint64]*call
	given map[uint64]bool // acquires that nobody waits for any more
}

// call is a request that has not been answered.
type call struct {
	waiting chan locker.Waiting
	done    chan answer
}

// connectAs connects to the process that listens at the address of an order, or returns
// errNobody. first says who we are, and notes takes messages for the user.
func connectAs(first message, o order, pulse time.Duration, notes func([]string)) (*connection, error) {
	conn, err := dial(o.Address, helloTime)
	if err != nil {
		return nil, err
	}
	owner, err := peerOf(conn)
	if err == nil && owner != os.Geteuid() {
		err = strangerError(owner)
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return hello(conn, first, pulse, notes)
}

// strangerError says that another user has taken the address.
func strangerError(uid int) error {
	name := "with id " + strconv.Itoa(uid)
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		name = strconv.Quote(u.Username)
	}
	return fmt.Errorf("holder: the socket of this run's holder process belongs to another user, %s. No lock is taken through it: end what that user runs there", name)
}

// hello begins a connection.
func hello(conn net.Conn, first message, pulse time.Duration, notes func([]string)) (*connection, error) {
	c := &connection{link: newLink(conn), notes: notes, down: make(chan struct{}), calls: make(map[uint64]*call), given: make(map[uint64]bool)}
	_ = conn.SetReadDeadline(time.Now().Add(helloTime))
	err := c.send(first)
	var a answer
	if err == nil {
		err = c.receive(&a)
	}
	if err != nil {
		pid := pidOf(conn)
		_ = conn.Close()
		if failed := net.Error(nil); errors.As(err, &failed) && failed.Timeout() { // On Windows that is not os.ErrDeadlineExceeded.
			return nil, &SilentError{pid}
		}
		return nil, fmt.Errorf("%w: %w", errNotServed, err)
	}
	_ = conn.SetReadDeadline(time.Time{})
	c.pid = a.PID
	go c.read()
	go c.watch(pulse)
	return c, nil
}

func (c *connection) alive() bool {
	select {
	case <-c.down:
		return false
	default:
		return true
	}
}

// fail ends the connection, and all calls by err.
func (c *connection) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.alive() {
		c.err = err
		close(c.down)
		_ = c.conn.Close()
	}
}

// ended ends the connection by err, and returns the error by which it has ended.
func (c *connection) ended(err error) error {
	c.fail(fmt.Errorf("%w unexpectedly: %w", ErrEnded, err))
	return c.err
}

// read takes the answers.
func (c *connection) read() {
	for {
		var a answer
		if err := c.receive(&a); err != nil {
			_ = c.ended(err)
			return
		}
		c.heard.Store(true)
		if len(a.Notes) > 0 {
			c.notes(a.Notes)
		}
		c.mu.Lock()
		sent, givenUp := c.calls[a.ID], c.given[a.ID]
		if givenUp && a.Waiting == nil {
			delete(c.given, a.ID)
		}
		c.mu.Unlock()
		switch {
		case givenUp && a.Waiting == nil && a.Grant.ID != "":
			// Nobody takes this grant.
			id, _ := c.begin()
			_ = c.send(message{ID: id, Op: opRelease, Znode: &Znode{Path: a.Grant.Znode, Grant: a.Grant.ID}})
			c.forget(id)
		case sent == nil:
		case a.Waiting != nil:
			select {
			case sent.waiting <- *a.Waiting:
			default: // the last one is not read yet
			}
		default:
			sent.done <- a // it has room for the only answer
			c.forget(a.ID)
		}
	}
}

// watch asks for a sign of life while a call has no answer, and ends the connection if
// there is none. It counts instead of looking at the clock, because this process may be
// stopped, too.
func (c *connection) watch(pulse time.Duration) {
	tick := time.NewTicker(pulse)
	defer tick.Stop()
	unanswered := 0
	for {
		select {
		case <-tick.C:
		case <-c.down:
			return
		}
		c.mu.Lock()
		idle := len(c.calls) == 0
		c.mu.Unlock()
		if c.heard.Swap(false) || idle {
			unanswered = 0
		} else if unanswered++; unanswered > maxUnanswered {
			c.fail(&SilentError{c.pid})
			return
		}
		if !idle {
			_ = c.send(message{Op: opPing})
		}
	}
}

func (c *connection) begin() (id uint64, sent *call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	sent = &call{waiting: make(chan locker.Waiting, 1), done: make(chan answer, 1)}
	c.calls[c.last] = sent
	return c.last, sent
}

func (c *connection) forget(id uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.calls, id)
}

// giveUp takes note that nobody waits for the end of an acquire any more.
func (c *connection) giveUp(id uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.calls, id)
	c.given[id] = true
}

// ask sends one request and waits for its answer.
func (c *connection) ask(ctx context.Context, m message) (answer, error) {
	id, sent := c.begin()
	defer c.forget(id)
	m.ID = id
	if err := c.send(m); err != nil {
		return answer{}, c.ended(err)
	}
	select {
	case a := <-sent.done:
		return a, a.Failure.err()
	case <-c.down:
		return answer{}, c.err
	case <-ctx.Done():
		return answer{}, fmt.Errorf("holder: %w", context.Cause(ctx))
	}
}
