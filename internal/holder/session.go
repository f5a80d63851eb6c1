package holder

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
)

// session is the server's side of one connection.
type session struct {
	*server
	*link
	ctx context.Context // ends with the connection

	mu    sync.Mutex
	calls map[uint64]*acquire
	all   sync.WaitGroup // calls under way
	over  chan struct{}  // closed when all that was sent to us has been read
}

// drainTime bounds how long what a run has sent before its end is read.
const drainTime = time.Second

// acquire is one that has not ended, or whose answer was not taken.
type acquire struct {
	ctx    context.Context
	cancel context.CancelFunc
	taken  chan struct{}
}

// serve answers the messages of one connection, until that ends or there comes
// what is not a message. Acquires that are under way then are cancelled, and have
// ended when it returns; releases go on to their end.
func (s *server) serve(conn net.Conn) {
	ctx, hangUp := context.WithCancel(s.life)
	c := &session{server: s, link: newLink(conn), ctx: ctx, calls: make(map[uint64]*acquire), over: make(chan struct{})}
	defer context.AfterFunc(s.life, c.finish)()
	_ = conn.SetReadDeadline(time.Now().Add(helloTime))
	var hello message
	if err := c.receive(&hello); err != nil || hello.Op != opHello || hello.Run != s.runID {
		hangUp()
		return
	}
	_ = conn.SetReadDeadline(time.Time{})
	if hello.Passive {
		s.listens.Store(true)
		defer s.listens.Store(false)
	} else {
		if !s.enter() {
			hangUp()
			return
		}
		defer s.sessions.Done()
		defer s.leave()
	}
	if hello.Tell {
		defer s.tellBy(c)()
	}
	defer c.all.Wait()
	defer hangUp()
	defer close(c.over)
	if c.send(answer{PID: os.Getpid()}) != nil {
		return
	}
	for {
		var m message
		if c.receive(&m) != nil {
			return
		}
		c.take(m)
	}
}

// finish ends the connection, when the run has ended. That a durable lock was taken may
// have been sent, but not read yet.
func (c *session) finish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.calls) > 0 {
		_ = c.conn.SetReadDeadline(time.Now().Add(drainTime))
		return
	}
	_ = c.conn.Close()
}

// take carries a message out. It does not wait for anything.
func (c *session) take(m message) {
	switch {
	case m.Op == opPing:
		c.ended(m.ID, nil)
	case m.Op == opStopping:
		c.alarm.runStops(m.Process)
	case m.Op == opFirst:
		_ = c.send(answer{ID: m.ID, First: c.alarm.runStops(m.Process)})
	case m.Op == opAcquire && m.Request != nil:
		a := &acquire{taken: make(chan struct{})}
		a.ctx, a.cancel = context.WithCancel(c.ctx)
		if c.register(m.ID, a) {
			c.all.Go(func() { c.acquire(m.ID, a, *m.Request) })
		}
	case m.Op == opTaken:
		if a := c.forget(m.ID); a != nil {
			close(a.taken)
		}
	case m.Op == opCancel:
		c.mu.Lock()
		defer c.mu.Unlock()
		if a := c.calls[m.ID]; a != nil {
			a.cancel()
		}
	case m.Op == opRelease && m.Znode != nil:
		c.all.Go(func() { c.ended(m.ID, c.holder.Release(context.WithoutCancel(c.ctx), *m.Znode)) })
	case m.Op == opDescribe && m.Znode != nil:
		c.all.Go(func() { c.ended(m.ID, c.holder.Describe(c.ctx, *m.Znode, m.Info)) })
	case m.Op == opOwn:
		own, err := c.holder.Own(c.ctx, m.Dir)
		_ = c.send(answer{ID: m.ID, Own: own, Failure: newFailure(err), Notes: c.alarm.notes()})
	default:
		c.ended(m.ID, errors.New("holder: not a request"))
	}
}

// register takes note of an acquire; false if its id is that of another.
func (c *session) register(id uint64, a *acquire) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls[id] != nil {
		return false
	}
	c.calls[id] = a
	return true
}

func (c *session) forget(id uint64) *acquire {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.calls[id]
	delete(c.calls, id)
	return a
}

// ended tells how a call ended.
func (c *session) ended(id uint64, err error) {
	_ = c.send(answer{ID: id, Failure: newFailure(err), Notes: c.alarm.notes()})
}

// acquire carries an acquire out.
func (c *session) acquire(id uint64, a *acquire, req Request) {
	defer a.cancel()
	over := make(chan struct{})
	w := &queued{lockID: req.Lock.LockID, start: time.Now(), moved: make(chan struct{}, 1)}
	req.Lock.Waiting = func(now locker.Waiting) {
		switch w.set(now) {
		case firstNews:
			c.all.Go(func() { c.tell(id, w, over) })
		case movedNews:
			select {
			case w.moved <- struct{}{}:
			default:
			}
		}
	}
	slow := time.AfterFunc(stillWaiting, func() {
		if w.unknown() { // a session, or an answer, is waited for
			c.tell(id, w, over)
		}
	})
	grant, err := c.holder.Acquire(a.ctx, req)
	slow.Stop()
	close(over)
	if err != nil {
		c.forget(id)
		c.ended(id, err)
		return
	}
	durable := req.Lock.Durable
	if !durable {
		c.forget(id)
	}
	listener := !durable && c.listens.CompareAndSwap(false, true)
	_ = c.send(answer{ID: id, Grant: grant, Listener: listener, Notes: c.alarm.notes()})
	if !durable {
		return
	}
	// No session's end removes it, and if the answer was not read, no state will
	// ever know of it.
	select {
	case <-a.taken:
		return
	case <-a.ctx.Done():
	}
	if c.life.Err() != nil {
		<-c.over
	}
	select {
	case <-a.taken: // before the connection or the run ended
	default:
		c.forget(id)
		c.log.Warn("nobody took the durable lock: it is released again", "znode", grant.Znode)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), durableTime)
		defer cancel()
		_ = c.holder.Release(ctx, Znode{Ensemble: req.Ensemble, Path: grant.Znode, Durable: true})
	}
}

// stillWaiting is how often a provider process is told how the queue stands.
const stillWaiting = 30 * time.Second

// queued is how the queue stands for one who waits.
type queued struct {
	lockID string
	start  time.Time
	moved  chan struct{} // has an element when it stands in another way

	mu  sync.Mutex
	now *locker.Waiting
}

// news is what set has learned.
type news int

const (
	noNews    news = iota
	firstNews      // nothing was known before
	movedNews      // another place, or another one in front
)

// set takes note of it, and tells what is new.
func (q *queued) set(now locker.Waiting) news {
	q.mu.Lock()
	defer q.mu.Unlock()
	last := q.now
	q.now = &now
	switch {
	case last == nil:
		return firstNews
	case last.Place != now.Place || last.Next.Znode != now.Next.Znode || !last.Next.Data.HeldSince.Equal(now.Next.Data.HeldSince):
		return movedNews
	default:
		return noNews
	}
}

// unknown takes note that nothing is known of it, and tells whether that is so.
func (q *queued) unknown() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.now != nil {
		return false
	}
	q.now = &locker.Waiting{}
	return true
}

func (q *queued) get() *locker.Waiting {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.now
}

// tell says how the queue stands, at once, when that changes, and now and then, until the
// wait is over.
func (c *session) tell(id uint64, q *queued, over <-chan struct{}) {
	tick, soon := time.NewTicker(stillWaiting), time.NewTimer(usualPace.first)
	defer tick.Stop()
	defer soon.Stop()
	var moved <-chan struct{} // nil while the last word is too new
	for again := false; ; again = true {
		now := q.get()
		logWaiting(c.log, q.lockID, *now, q.start, again)
		if c.send(answer{ID: id, Waiting: now}) != nil {
			return
		}
		for waiting := true; waiting; {
			select {
			case <-over:
				return
			case <-soon.C:
				moved = q.moved
				continue
			case <-moved:
			case <-tick.C:
			}
			waiting = false
		}
		moved = nil
		soon.Reset(usualPace.first)
	}
}
