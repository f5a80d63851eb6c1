// SPDX-License-Identifier: MPL-2.0

package holder

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/run"
)

// Remote asks the holder process of the run, which it starts at the first request if
// the run has none.
type Remote struct {
	order order
	asker *run.Run          // the Terraform of this process, if the run is a command
	tell  func(note string) // shows a message to the user; nil: see Notes
	pulse time.Duration     // see connection.watch

	connecting sync.Mutex
	prepared   *Prepared      // nil if there is none; guarded by connecting
	listeners  sync.WaitGroup // that are being started

	mu         sync.Mutex
	connection *connection // nil before the first request
	notes      []string
	closing    bool // no more listeners are started
}

var _ Holder = (*Remote)(nil)

// NewRemote returns a holder whose holder process works for a run.
func NewRemote(of run.Run) *Remote {
	logPath, _ := LogPath() // The provider says what is wrong with it.
	return &Remote{order: order{Run: of, Address: addressOf(of.ID), LogPath: logPath}, pulse: pulse}
}

// NewCommand returns a holder for a command that this process, self, has started or is
// about to start: the run lasts until both have ended. tell shows the user a message of
// the holder process. prepared, if not nil, becomes the holder process.
func NewCommand(command, self run.Run, prepared *Prepared, tell func(note string)) *Remote {
	r := NewRemote(command)
	r.order.Starter, r.prepared, r.tell = self, prepared, tell
	return r
}

// Enclosing returns the command that this process is below, and its holder, if there is
// one: see [run.Enclosing]. asker is the process that [Remote.Stopping] is about. tell may
// be nil.
func Enclosing(asker *run.Run, tell func(note string)) (r *Remote, command run.Run, ok bool) {
	command, ok = run.Enclosing()
	if !ok {
		return nil, run.Run{}, false
	}
	r = NewRemote(command)
	r.asker, r.tell = asker, tell
	if _, err := r.connect(false); err != nil && !errors.As(err, new(*SilentError)) {
		return nil, run.Run{}, false
	}
	return r, command, true
}

// Acquire implements [Holder].
func (r *Remote) Acquire(ctx context.Context, req Request) (Grant, error) {
	c, err := r.connect(true)
	if err != nil {
		return Grant{}, err
	}
	id, sent := c.begin()
	defer c.forget(id)
	err = c.send(message{ID: id, Op: opAcquire, Request: &req})
	cancelled := ctx.Done()
	var late <-chan time.Time
	for err == nil {
		select {
		case waiting := <-sent.waiting:
			if req.Lock.Waiting != nil {
				req.Lock.Waiting(waiting)
			}
		case a := <-sent.done:
			if a.Failure != nil {
				return Grant{}, a.Failure.err()
			}
			if req.Lock.Durable {
				_ = c.send(message{ID: id, Op: opTaken}) // otherwise it is released
			}
			if a.Listener && r.tell == nil {
				r.beginListener()
			}
			return a.Grant, nil
		case <-c.down:
			return Grant{}, c.err
		case <-cancelled:
			cancelled, late = nil, time.After(cancelTime)
			err = c.send(message{ID: id, Op: opCancel})
		case <-late:
			c.giveUp(id)
			return Grant{}, fmt.Errorf("%w: %w", context.Cause(ctx), &SilentError{c.pid})
		}
	}
	return Grant{}, c.ended(err)
}

// cancelTime bounds how long to wait for the end of a cancelled acquire: the holder
// process deletes the node first.
const cancelTime = 5 * time.Second

// Release implements [Holder].
func (r *Remote) Release(ctx context.Context, znode Znode) error {
	c, err := r.connect(znode.Durable)
	if errors.Is(err, errNobody) {
		// The holder process would be there if it held the lock.
		return &LostError{Loss{Znode: znode.Path, At: time.Now(), Cause: causeEnded}}
	}
	if err != nil {
		return err
	}
	_, err = c.ask(ctx, message{Op: opRelease, Znode: &znode})
	return err
}

// Describe implements [Holder].
func (r *Remote) Describe(ctx context.Context, znode Znode, info string) error {
	c, err := r.connect(true)
	if err != nil {
		return err
	}
	_, err = c.ask(ctx, message{Op: opDescribe, Znode: &znode, Info: info})
	return err
}

// Own implements [Holder].
func (r *Remote) Own(ctx context.Context, dir string) ([]locker.Identity, error) {
	c, err := r.connect(false)
	if errors.Is(err, errNobody) {
		return nil, nil // it would be there if it held the lock
	}
	if err != nil {
		return nil, err
	}
	a, err := c.ask(ctx, message{Op: opOwn, Dir: dir})
	return a.Own, err
}

// Stopping says that the run has been interrupted and is about to end. From now on a loss
// is reported, but does not interrupt the run again: a second interrupt ends Terraform at
// once, without its state being written. Stopping does not wait.
func (r *Remote) Stopping() {
	if c := r.connected(nil); c != nil {
		_ = c.send(message{Op: opStopping, Process: r.asker})
	}
}

// First returns whether this process may interrupt the run, or a process below its
// command: nobody has interrupted it before, and nobody else will.
func (r *Remote) First(ctx context.Context, process run.Run) (bool, error) {
	c, err := r.connect(false)
	if err != nil {
		return false, err
	}
	a, err := c.ask(ctx, message{Op: opFirst, Process: &process})
	return a.First, err
}

// Notes returns, once, the messages that could not reach the user in another way.
func (r *Remote) Notes() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	notes := r.notes
	r.notes = nil
	return notes
}

func (r *Remote) note(notes []string) {
	if r.tell != nil {
		for _, note := range notes {
			r.tell(note)
		}
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notes = append(r.notes, notes...)
}

// Close ends the connection. That cancels acquires. The holder process stays until the
// run ends if it holds a lock.
func (r *Remote) Close() error {
	r.mu.Lock()
	r.closing = true
	r.mu.Unlock()
	r.listeners.Wait()
	if c := r.connected(nil); c != nil {
		c.fail(ErrEnded)
	}
	return nil
}

// beginListener starts a listener, unless Close has begun. Close waits for the start.
func (r *Remote) beginListener() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closing {
		r.listeners.Go(func() { startListener(r.listenerOrder(false)) })
	}
}

// Listen starts a listener process. It gets the signals that are sent to the process group
// of this process, or to all processes of a job. heard is called for each signal, with
// [Answer] after it was asked, and with nil when it has ended. Its environment is env, by
// which some CI systems find the processes of a job.
func (r *Remote) Listen(env []string, heard func(os.Signal)) (*Listener, error) {
	return startEcho(r.listenerOrder(true), env, heard)
}

func (r *Remote) listenerOrder(echo bool) order {
	o := r.order
	o.Echo, o.For = echo, r.asker
	return o
}

// connected returns the connection, or nil if it has ended. c, if not nil, replaces it.
func (r *Remote) connected(c *connection) *connection {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c != nil {
		r.connection = c
	}
	if r.connection == nil || !r.connection.alive() {
		return nil
	}
	return r.connection
}

// connect returns a connection to the holder process. If there is no such process,
// connect starts it, or returns errNobody.
func (r *Remote) connect(start bool) (*connection, error) {
	r.connecting.Lock()
	defer r.connecting.Unlock()
	if c := r.connected(nil); c != nil {
		return c, nil
	}
	deadline := time.Now().Add(startTime)
	for pause := firstPause; ; pause *= 2 {
		c, err := r.dial()
		if errors.Is(err, errNobody) && start {
			var release func()
			if release, err = r.start(); err == nil {
				c, err = r.dial()
				release()
			}
		}
		if err == nil {
			r.connected(c)
			return c, nil
		}
		again := errors.Is(err, errTaken) || errors.Is(err, errNotServed) || errors.Is(err, errNobody) && start
		if !again || time.Now().After(deadline) {
			return nil, err
		}
		// Another process is about to begin, or to end.
		time.Sleep(pause)
	}
}

// start starts a holder process, unless there is a prepared one. It stays at least until
// release is called. The error is errTaken if there is a holder process already.
func (r *Remote) start() (release func(), err error) {
	prepared := r.prepared
	if r.prepared = nil; prepared == nil {
		if prepared, err = Prepare(); err != nil {
			return nil, err
		}
	}
	if err := prepared.begin(r.order); err != nil {
		prepared.Close()
		return nil, err
	}
	return prepared.Close, nil
}

// dial connects to the present holder process.
func (r *Remote) dial() (*connection, error) {
	return connectAs(message{Op: opHello, Run: r.order.Run.ID, Tell: r.tell != nil}, r.order, r.pulse, r.note)
}
