package holder

import (
	"context"
	"errors"
	"fmt"
	"net/rpc"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/run"
)

// cancelTime bounds how long a cancelled acquire is waited for. The holder needs
// a moment to take the contender out of the queue.
const cancelTime = 5 * time.Second

// Process is the provider's side of a holder process, which it starts at the
// first acquire.
type Process struct {
	run     run.Run
	args    []string // of the holder process, for tests
	logPath string   // of the holder process, "" for none

	tickets atomic.Uint64

	mu     sync.Mutex
	client *rpc.Client // nil before the first acquire and after the process ended
	grants map[lockKey]grant
	losses map[lockKey]Loss // that Release has yet to report
}

// grant is a lock that the process behind client holds.
type grant struct {
	client    *rpc.Client
	lockID    string
	releasing bool // what it guarded is over: to go with its process is no loss now
}

var _ Holder = (*Process)(nil)

// NewProcess returns a holder for r in a process of its own, a copy of this
// executable started with the argument [Command].
func NewProcess(r run.Run) *Process {
	logPath, _ := LogPath() // The provider says what is wrong with it.
	return &Process{
		run:     r,
		args:    []string{Command},
		logPath: logPath,
		grants:  make(map[lockKey]grant),
		losses:  make(map[lockKey]Loss),
	}
}

// Acquire implements [Holder].
func (p *Process) Acquire(ctx context.Context, req Request) (Grant, error) {
	client, err := p.connect()
	if err != nil {
		return Grant{}, err
	}
	outcome, err := p.acquire(ctx, client, req)
	if err != nil {
		return Grant{}, err
	}
	if err := outcome.Failure.err(); err != nil {
		return Grant{}, err
	}
	if !req.Lock.Durable {
		if err := p.note(client, req, outcome.Grant); err != nil {
			return Grant{}, err
		}
	}
	return outcome.Grant, nil
}

// acquire returns how the acquire ended, and cancels it when ctx ends.
func (p *Process) acquire(ctx context.Context, client *rpc.Client, req Request) (Outcome, error) {
	ticket := Ticket{p.tickets.Add(1)}
	method, args := rpcAcquire, any(AcquireArgs{ticket, req})
	cancelled := ctx.Done()
	var lastWait <-chan time.Time
	for {
		var outcome Outcome
		call := client.Go(method, args, &outcome, nil)
		for answered := false; !answered; {
			select {
			case <-call.Done:
				answered = true
			case <-cancelled:
				if err := p.call(client, rpcCancel, ticket, &Nothing{}); err != nil {
					return Outcome{}, err
				}
				cancelled, lastWait = nil, time.After(cancelTime)
			case <-lastWait:
				return Outcome{}, fmt.Errorf("holder: acquire: %w", context.Cause(ctx))
			}
		}
		if call.Error != nil {
			return Outcome{}, p.gone(client, call.Error)
		}
		if outcome.Waiting == nil {
			return outcome, nil
		}
		if req.Lock.Waiting != nil {
			req.Lock.Waiting(*outcome.Waiting)
		}
		method, args = rpcAwait, AwaitArgs{Ticket: ticket, Queued: true}
	}
}

// note takes a grant into the books, unless the process behind it has ended.
func (p *Process) note(client *rpc.Client, req Request, g Grant) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.client != client {
		return fmt.Errorf("%w unexpectedly", ErrEnded)
	}
	p.grants[keyOf(Znode{Ensemble: req.Ensemble, Path: g.Znode})] = grant{client: client, lockID: req.Lock.LockID}
	return nil
}

// Release implements [Holder]. A lock that was granted to another provider
// process stays with the holder process of that one.
func (p *Process) Release(ctx context.Context, znode Znode) error {
	if znode.Durable {
		return p.request(ctx, rpcRelease, znode)
	}
	key := keyOf(znode)
	g, held, err := p.releasing(key)
	if err != nil || !held {
		return err
	}
	// Of the process that granted it, and of no other: a new one would know
	// nothing of the lock, and so of its loss.
	err = p.ask(ctx, g.client, rpcRelease, znode)
	if lost := (*LostError)(nil); err == nil || errors.As(err, &lost) {
		p.mu.Lock()
		delete(p.grants, key)
		p.mu.Unlock()
	}
	return err
}

// releasing returns the grant, whose work is over from now on, or reports, once, that
// the lock went with its holder process before.
func (p *Process) releasing(key lockKey) (g grant, held bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if loss, lost := p.losses[key]; lost {
		delete(p.losses, key)
		return grant{}, false, &LostError{loss}
	}
	g, held = p.grants[key]
	if held {
		g.releasing = true
		p.grants[key] = g
	}
	return g, held, nil
}

// ended takes note that the holder process behind client has ended, and with it
// the watch over its locks: the server will give them away. The run is told by
// that process itself or by its sentinel.
func (p *Process) ended(client *rpc.Client) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.client == client {
		p.client = nil
	}
	for key, g := range p.grants {
		if g.client != client {
			continue
		}
		delete(p.grants, key)
		if !g.releasing {
			p.losses[key] = Loss{LockID: g.lockID, Znode: key.znode, At: time.Now(), Cause: causeEnded}
		}
	}
}

// Describe implements [Holder].
func (p *Process) Describe(ctx context.Context, znode Znode, info string) error {
	return p.request(ctx, rpcDescribe, DescribeArgs{znode, info})
}

// request sends one request and waits for how it ended.
func (p *Process) request(ctx context.Context, method string, args any) error {
	client, err := p.connect()
	if err != nil {
		return err
	}
	return p.ask(ctx, client, method, args)
}

func (p *Process) ask(ctx context.Context, client *rpc.Client, method string, args any) error {
	var outcome Outcome
	call := client.Go(method, args, &outcome, nil)
	select {
	case <-call.Done:
	case <-ctx.Done():
		return fmt.Errorf("holder: %s: %w", method, context.Cause(ctx))
	}
	if call.Error != nil {
		return p.gone(client, call.Error)
	}
	return outcome.Failure.err()
}

// Close lets the holder process go its own way: it cancels what is pending and
// stays until the run ends if it holds a lock.
func (p *Process) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.client == nil {
		return nil
	}
	client := p.client
	p.client = nil
	clear(p.grants) // the locks stay, but are no longer ours to watch
	return client.Close()
}

// connect returns the client of the holder process and starts that if need be.
func (p *Process) connect() (*rpc.Client, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.client != nil {
		return p.client, nil
	}
	cmd, pipe, err := startProcess(p.args)
	if err != nil {
		return nil, fmt.Errorf("holder: start: %w", err)
	}
	client := rpc.NewClient(pipe)
	go func() {
		_ = cmd.Wait() // also so that it does not become a zombie
		p.ended(client)
	}()
	var outcome Outcome
	if err := client.Call(rpcServe, ServeArgs{Run: p.run, LogPath: p.logPath}, &outcome); err != nil {
		_ = client.Close()
		return nil, fmt.Errorf("holder: start: %w", err)
	}
	if err := outcome.Failure.err(); err != nil {
		_ = client.Close()
		return nil, err
	}
	p.client = client
	return client, nil
}

func (p *Process) call(client *rpc.Client, method string, args, reply any) error {
	if err := client.Call(method, args, reply); err != nil {
		return p.gone(client, err)
	}
	return nil
}

// gone makes the error of a broken pipe, and forgets the process behind it so
// that the next acquire starts another. The process's own word is left as is.
func (p *Process) gone(client *rpc.Client, err error) error {
	if word := rpc.ServerError(""); errors.As(err, &word) {
		return fmt.Errorf("holder: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.client == client {
		p.client = nil
		_ = client.Close()
	}
	return fmt.Errorf("%w unexpectedly: %w", ErrEnded, err)
}
