// SPDX-License-Identifier: MPL-2.0

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

// accept serves each connection until the listener is closed.
func (s *server) accept(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // such as too many open files
			time.Sleep(acceptPause)
			continue
		}
		go func() {
			if owner, err := peerOf(conn); err == nil && owner == os.Geteuid() {
				s.serve(conn)
			}
			_ = conn.Close()
		}()
	}
}

// acceptPause is how long accept waits after a failure.
const acceptPause = 100 * time.Millisecond

// session is the server's side of one connection.
type session struct {
	*server
	*link
	ctx context.Context // ends with the connection

	mu    sync.Mutex
	calls map[uint64]*acquire
	all   sync.WaitGroup // calls under way
	over  chan struct{}  // closed when all messages have been read
}

// drainTime bounds how long messages are read that a run has sent before its end.
const drainTime = time.Second

// acquire is an acquire that has not ended, or whose answer was not read.
type acquire struct {
	ctx    context.Context
	cancel context.CancelFunc
	taken  chan struct{}
}

// serve answers the messages of one connection, until that ends or something comes that
// is not a message. It then cancels acquires, and lets releases end, before it returns.
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
		defer s.tellBy(c.link)()
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

// finish ends the connection when the run has ended. A message that a durable lock was
// taken may have been sent, but not read yet.
func (c *session) finish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.calls) > 0 {
		_ = c.conn.SetReadDeadline(time.Now().Add(drainTime))
		return
	}
	_ = c.conn.Close()
}

// take carries out a message. It does not wait.
func (c *session) take(m message) {
	switch {
	case m.Op == opPing:
		c.ended(m.ID, nil)
	case m.Op == opStopping:
		c.interrupter.runStops(m.Process)
	case m.Op == opFirst:
		_ = c.send(answer{ID: m.ID, First: c.interrupter.runStops(m.Process)})
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
		_ = c.send(answer{ID: m.ID, Own: own, Failure: newFailure(err), Notes: c.interrupter.notes()})
	default:
		c.ended(m.ID, errors.New("holder: not a request"))
	}
}

// register takes note of an acquire. It returns false if another one has its id.
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

// ended answers how a call ended.
func (c *session) ended(id uint64, err error) {
	_ = c.send(answer{ID: id, Failure: newFailure(err), Notes: c.interrupter.notes()})
}

// acquire carries out an acquire.
func (c *session) acquire(id uint64, a *acquire, req Request) {
	defer a.cancel()
	over := make(chan struct{})
	w := &wait{news: make(chan struct{}, 1)}
	req.Lock.Waiting = w.set
	c.all.Go(func() { c.tell(id, req.Lock.LockID, w, over) })
	grant, err := c.holder.Acquire(a.ctx, req)
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
	_ = c.send(answer{ID: id, Grant: grant, Listener: listener, Notes: c.interrupter.notes()})
	if !durable {
		return
	}
	// The end of a session does not release it. If the answer was not read, no state
	// knows of it.
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

// wait is how the queue stands for one who waits.
type wait struct {
	news chan struct{} // has an element when the queue was looked at again

	mu  sync.Mutex
	now locker.Waiting
}

func (w *wait) set(now locker.Waiting) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = now
	notify(w.news)
}

func (w *wait) get() locker.Waiting {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// tell tells the provider process how the queue stands, until the wait is over.
func (c *session) tell(id uint64, lockID string, w *wait, over <-chan struct{}) {
	start, told := time.Now(), false
	var last locker.Waiting
	providerPace.follow(0, w.news, over, func(late bool) bool {
		now := w.get()
		if told && !late && now.Place == last.Place && now.Next.Znode == last.Next.Znode && now.Next.Data.HeldSince.Equal(last.Next.Data.HeldSince) {
			return false
		}
		logWaiting(c.log, lockID, now, start, told)
		told, last = true, now
		_ = c.send(answer{ID: id, Waiting: &now})
		return true
	})
}
