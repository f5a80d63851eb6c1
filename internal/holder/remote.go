package holder

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"sync"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/run"
)

const (
	// startTime bounds how long a holder is waited for that is about to begin, or
	// to end.
	startTime = 15 * time.Second
	// helloTime bounds the first words on a connection.
	helloTime = 5 * time.Second
	// firstPause is between the first two tries to connect; it doubles each time.
	firstPause = time.Millisecond
)

// Process is a provider process's side of the run's holder process, which it
// starts at the first request if the run has none.
type Process struct {
	order order
	asker *run.Run          // the Terraform that this process works for, where the run is a command
	tell  func(note string) // shows the user what he is to be told; nil: see Notes
	pulse time.Duration     // see remote.watch

	connecting sync.Mutex
	listeners  sync.WaitGroup // that are being started

	mu      sync.Mutex
	remote  *remote // nil before the first request
	notes   []string
	closing bool // no more listeners are started
}

var _ Holder = (*Process)(nil)

// NewProcess returns a holder for r in a process of its own, a copy of this
// executable.
func NewProcess(r run.Run) *Process {
	logPath, _ := LogPath() // The provider says what is wrong with it.
	return &Process{order: order{Run: r, Address: addressOf(r.ID), LogPath: logPath}, pulse: pulse}
}

// NewCommand returns a holder for a command that this process, self, has started or is
// about to: the run lasts until both have ended, and is the command's. tell shows the
// user what the holder has to say.
func NewCommand(command, self run.Run, tell func(note string)) *Process {
	p := NewProcess(command)
	p.order.Starter, p.tell = self, tell
	return p
}

// Enclosing returns the holder of the command that this process is below of, and the
// command, if there is one: see [run.Enclosing]. asker is the process that
// [Process.Stopping] speaks of. tell may be nil.
func Enclosing(asker *run.Run, tell func(note string)) (p *Process, command run.Run, ok bool) {
	command, ok = run.Enclosing()
	if !ok {
		return nil, run.Run{}, false
	}
	p = NewProcess(command)
	p.asker, p.tell = asker, tell
	if _, err := p.connect(false); err != nil && !errors.As(err, new(*SilentError)) {
		return nil, run.Run{}, false
	}
	return p, command, true
}

// Acquire implements [Holder].
func (p *Process) Acquire(ctx context.Context, req Request) (Grant, error) {
	r, err := p.connect(true)
	if err != nil {
		return Grant{}, err
	}
	id, c := r.begin()
	defer r.forget(id)
	err = r.send(message{ID: id, Op: opAcquire, Request: &req})
	cancelled := ctx.Done()
	var late <-chan time.Time
	for err == nil {
		select {
		case waiting := <-c.waiting:
			if req.Lock.Waiting != nil {
				req.Lock.Waiting(waiting)
			}
		case a := <-c.done:
			if a.Failure != nil {
				return Grant{}, a.Failure.err()
			}
			if req.Lock.Durable {
				_ = r.send(message{ID: id, Op: opTaken}) // else it is undone
			}
			if a.Listener && p.tell == nil {
				p.beginListener()
			}
			return a.Grant, nil
		case <-r.down:
			return Grant{}, r.err
		case <-cancelled:
			cancelled, late = nil, time.After(cancelTime)
			err = r.send(message{ID: id, Op: opCancel})
		case <-late:
			r.giveUp(id)
			return Grant{}, fmt.Errorf("%w: %w", context.Cause(ctx), &SilentError{r.pid})
		}
	}
	return Grant{}, r.ended(err)
}

// cancelTime bounds how long a cancelled acquire is waited for. The holder needs
// a moment to take the contender out of the queue.
const cancelTime = 5 * time.Second

// Release implements [Holder].
func (p *Process) Release(ctx context.Context, znode Znode) error {
	r, err := p.connect(znode.Durable)
	if errors.Is(err, errNobody) {
		// It would be there for as long as it held the lock.
		return &LostError{Loss{Znode: znode.Path, At: time.Now(), Cause: causeEnded}}
	}
	if err != nil {
		return err
	}
	_, err = r.ask(ctx, message{Op: opRelease, Znode: &znode})
	return err
}

// Describe implements [Holder].
func (p *Process) Describe(ctx context.Context, znode Znode, info string) error {
	r, err := p.connect(true)
	if err != nil {
		return err
	}
	_, err = r.ask(ctx, message{Op: opDescribe, Znode: &znode, Info: info})
	return err
}

// Own implements [Holder].
func (p *Process) Own(ctx context.Context, dir string) ([]locker.Identity, error) {
	r, err := p.connect(false)
	if errors.Is(err, errNobody) {
		return nil, nil // it would be there for as long as it held the lock
	}
	if err != nil {
		return nil, err
	}
	a, err := r.ask(ctx, message{Op: opOwn, Dir: dir})
	return a.Own, err
}

// Stopping says that the run has been interrupted, no matter by whom, and is about
// to end: a lock that is lost from now on is reported, and the run not interrupted
// again, which would end Terraform at once, its state unwritten. It does not wait.
func (p *Process) Stopping() {
	if r := p.connected(nil); r != nil {
		_ = r.send(message{Op: opStopping, Process: p.asker})
	}
}

// First tells whether this process may pass an interrupt on to the run, or to a
// process below its command: nobody has interrupted it before, and nobody will.
func (p *Process) First(ctx context.Context, process run.Run) (bool, error) {
	r, err := p.connect(false)
	if err != nil {
		return false, err
	}
	a, err := r.ask(ctx, message{Op: opFirst, Process: &process})
	return a.First, err
}

// Notes returns, once, what the user is to be told and could not be told otherwise.
func (p *Process) Notes() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	notes := p.notes
	p.notes = nil
	return notes
}

func (p *Process) note(notes []string) {
	if p.tell != nil {
		for _, note := range notes {
			p.tell(note)
		}
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.notes = append(p.notes, notes...)
}

// Close leaves the holder process to itself: it cancels what is pending, and stays
// until the run ends if it holds a lock.
func (p *Process) Close() error {
	p.mu.Lock()
	p.closing = true
	p.mu.Unlock()
	p.listeners.Wait()
	if r := p.connected(nil); r != nil {
		r.fail(ErrEnded)
	}
	return nil
}

// beginListener starts a listener, for which Close waits. Once that has begun, there is
// none to start.
func (p *Process) beginListener() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closing {
		p.listeners.Go(p.startListener)
	}
}

// connected returns the living connection, nil if there is none, after it has become
// r unless that is nil.
func (p *Process) connected(r *remote) *remote {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r != nil {
		p.remote = r
	}
	if p.remote == nil || !p.remote.alive() {
		return nil
	}
	return p.remote
}

// connect returns the connection to the holder process. Where there is none, it
// starts one, or fails by errNobody.
func (p *Process) connect(start bool) (*remote, error) {
	p.connecting.Lock()
	defer p.connecting.Unlock()
	if r := p.connected(nil); r != nil {
		return r, nil
	}
	deadline := time.Now().Add(startTime)
	for pause := firstPause; ; pause *= 2 {
		r, err := p.dial()
		if errors.Is(err, errNobody) && start {
			var release func()
			if release, err = p.start(); err == nil {
				r, err = p.dial()
				release()
			}
		}
		if err == nil {
			p.connected(r)
			return r, nil
		}
		again := errors.Is(err, errTaken) || errors.Is(err, errNotServed) || errors.Is(err, errNobody) && start
		if !again || time.Now().After(deadline) {
			return nil, err
		}
		// Another process is about to serve there, or to end.
		time.Sleep(pause)
	}
}

// dial connects to the holder that is there.
func (p *Process) dial() (*remote, error) {
	return p.dialAs(message{Op: opHello, Run: p.order.Run.ID, Tell: p.tell != nil})
}

func (p *Process) dialAs(first message) (*remote, error) {
	conn, err := dial(p.order.Address, helloTime)
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
	return hello(conn, first, p)
}

// strangerError says that someone else has taken the address.
func strangerError(uid int) error {
	name := "with id " + strconv.Itoa(uid)
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		name = strconv.Quote(u.Username)
	}
	return fmt.Errorf("holder: the socket of this run's holder belongs to another user, %s. No lock is taken through it: end what that user runs there", name)
}
