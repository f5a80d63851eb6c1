package holder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/rpc"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
)

// service answers the requests of one provider process. Its exported methods
// are those that net/rpc calls.
type service struct {
	serve func(ServeArgs) (*Local, error)

	ctx    context.Context // ends with the pipe
	hangUp context.CancelFunc

	mu    sync.Mutex
	local *Local // nil until the provider has said for whom to work
	calls map[uint64]*acquire

	acquires sync.WaitGroup // under way
}

// acquire is one whose end has not been told yet.
type acquire struct {
	ctx     context.Context
	cancel  context.CancelFunc
	begun   atomic.Bool
	lockID  string
	start   time.Time
	done    chan struct{}
	outcome Outcome

	mu      sync.Mutex
	queued  chan struct{} // closed when waiting is set
	waiting *locker.Waiting
}

// wait takes note of how the queue stands.
func (a *acquire) wait(w locker.Waiting) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.waiting == nil {
		close(a.queued)
	}
	a.waiting = &w
}

// stands is how the queue stands; nothing is known of that while a session, or an
// answer, is waited for.
func (a *acquire) stands() *locker.Waiting {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.waiting == nil {
		return &locker.Waiting{}
	}
	return a.waiting
}

// serve answers requests on pipe until its other end is closed, or sends what is
// none. Acquires that are under way then are cancelled, and have ended when it
// returns. local makes the holder once the run is known.
func serve(pipe io.ReadWriteCloser, local func(ServeArgs) (*Local, error)) {
	s := &service{serve: local, calls: make(map[uint64]*acquire)}
	s.ctx, s.hangUp = context.WithCancel(context.Background())
	defer s.hangUp()
	server := rpc.NewServer()
	if err := server.RegisterName(rpcName, s); err != nil {
		panic(err) // a method has lost its form
	}
	server.ServeCodec(newCodec(pipe, s.register, s.hangUp))
	// Also those that nobody awaited at that moment.
	s.acquires.Wait()
}

// register takes note of an acquire when its request is read, since net/rpc carries
// requests out in no order: a cancel behind it is to find it.
func (s *service) register(request any) {
	args, ok := request.(*AcquireArgs)
	if !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, used := s.calls[args.ID]; used {
		return
	}
	a := &acquire{lockID: args.Request.Lock.LockID, start: time.Now(), done: make(chan struct{}), queued: make(chan struct{})}
	a.ctx, a.cancel = context.WithCancel(s.ctx)
	s.calls[args.ID] = a
}

var errNotServing = errors.New("holder: no run to work for was named")

// Serve names the run to work for, once.
func (s *service) Serve(args ServeArgs, outcome *Outcome) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.local != nil {
		return errors.New("holder: serves a run already")
	}
	local, err := s.serve(args)
	s.local, outcome.Failure = local, newFailure(err)
	return nil
}

// Acquire starts an acquire, and then waits as Await does.
func (s *service) Acquire(args AcquireArgs, outcome *Outcome) error {
	a, err := s.call(args.Ticket)
	if err != nil {
		return err
	}
	if !a.begun.CompareAndSwap(false, true) {
		return fmt.Errorf("holder: acquire %d is under way", args.ID)
	}
	local, err := s.serving()
	if err != nil {
		a.outcome.Failure = newFailure(err) // for who awaits it already
		close(a.done)
		s.forget(args.Ticket)
		return err
	}
	args.Request.Lock.Waiting = a.wait
	s.acquires.Go(func() {
		defer close(a.done)
		defer a.cancel()
		grant, err := local.Acquire(a.ctx, args.Request)
		a.outcome = Outcome{Grant: grant, Failure: newFailure(err)}
	})
	return s.tell(a, AwaitArgs{Ticket: args.Ticket}, outcome)
}

// stillWaiting is how often the caller of an acquire is told how the queue stands.
const stillWaiting = 30 * time.Second

// Await waits for the end of an acquire and forgets it, or for something to tell:
// that it has to queue, and from then on how the queue stands now and then.
func (s *service) Await(args AwaitArgs, outcome *Outcome) error {
	a, err := s.call(args.Ticket)
	if err != nil {
		return err
	}
	return s.tell(a, args, outcome)
}

func (s *service) tell(a *acquire, args AwaitArgs, outcome *Outcome) error {
	queued := a.queued
	if args.Queued {
		queued = nil
	}
	tick := time.NewTimer(stillWaiting)
	defer tick.Stop()
	select {
	case <-a.done:
		*outcome = a.outcome
		s.forget(args.Ticket)
		return nil
	case <-queued:
	case <-tick.C:
	}
	outcome.Waiting = a.stands()
	if local, err := s.serving(); err == nil {
		logWaiting(local.log, a.lockID, *outcome.Waiting, a.start, args.Queued)
	}
	return nil
}

// Cancel ends an acquire. One that has ended is left as it is.
func (s *service) Cancel(ticket Ticket, _ *Nothing) error {
	a, err := s.call(ticket)
	if err == nil {
		a.cancel()
	}
	return nil
}

// Release gives a lock up.
func (s *service) Release(znode Znode, outcome *Outcome) error {
	local, err := s.serving()
	if err == nil {
		outcome.Failure = newFailure(local.Release(s.ctx, znode))
	}
	return err
}

// Describe changes what a durable lock shows.
func (s *service) Describe(args DescribeArgs, outcome *Outcome) error {
	local, err := s.serving()
	if err == nil {
		outcome.Failure = newFailure(local.Describe(s.ctx, args.Znode, args.Info))
	}
	return err
}

func (s *service) serving() (*Local, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.local == nil {
		return nil, errNotServing
	}
	return s.local, nil
}

func (s *service) call(ticket Ticket) (*acquire, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.calls[ticket.ID]
	if !ok {
		return nil, fmt.Errorf("holder: no acquire %d is under way", ticket.ID)
	}
	return a, nil
}

func (s *service) forget(ticket Ticket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a, ok := s.calls[ticket.ID]; ok {
		a.cancel()
		delete(s.calls, ticket.ID)
	}
}
