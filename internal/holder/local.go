package holder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/run"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

const (
	// farewell is how long Close tries to release the locks one by one, which
	// also removes their directories, before it ends the sessions.
	farewell = 3 * time.Second
	// durableFarewell is the same for a durable lock that nobody waits for any
	// more, which the end of a session does not remove.
	durableFarewell = time.Minute
	// releasers bounds how many locks Close releases at once.
	releasers = 64
)

// errUnconfirmed says that a request may have been carried out, or not.
var errUnconfirmed = errors.New("holder: ZooKeeper did not confirm it within the connect timeout")

// Local holds locks in this process.
type Local struct {
	run      run.Run
	onLoss   func(Loss, bool)
	onStop   func() // nil: nobody interrupts the run
	pool     zookeeper.Pool
	log      *slog.Logger
	sentinel *sentinel // of a holder process

	life    context.Context // ends with Close
	end     context.CancelCauseFunc
	pending sync.WaitGroup // acquires

	mu    sync.Mutex
	locks map[lockKey]*held
}

var _ Holder = (*Local)(nil)

// NewLocal returns a holder that works for r and lives until Close. onLoss, if
// not nil, is called for each lock that is lost, with the request's Interrupt.
func NewLocal(r run.Run, onLoss func(loss Loss, interrupt bool)) *Local {
	l := &Local{run: r, onLoss: onLoss, log: silent(), locks: make(map[lockKey]*held)}
	l.life, l.end = context.WithCancelCause(context.Background())
	return l
}

// logTo is called before the first acquire.
func (l *Local) logTo(log *slog.Logger) { l.log, l.pool.Log = log, log }

// Acquire implements [Holder].
func (l *Local) Acquire(ctx context.Context, req Request) (Grant, error) {
	start := time.Now()
	log := l.log.With("lockid", req.Lock.LockID)
	log.Info("taking lock", "directory", req.Lock.Dir, "lockwait", req.Lock.Wait)
	grant, err := l.acquire(ctx, req)
	if err != nil {
		log.Warn("lock not taken", "error", err, "waited", Waited(start))
		return Grant{}, err
	}
	log.Info("lock held", "znode", grant.Znode, "fencing_token", grant.Token, "session_timeout", grant.SessionTimeout, "waited", Waited(start))
	return grant, nil
}

func (l *Local) acquire(ctx context.Context, req Request) (Grant, error) {
	if err := l.enter(); err != nil {
		return Grant{}, err
	}
	defer l.pending.Done()
	if err := valid(req.Ensemble); err != nil {
		return Grant{}, err
	}
	ctx, cancel := l.while(ctx)
	defer cancel()
	req.Lock.Data.Run, req.Lock.Data.Host, req.Lock.Data.PID = l.run.ID, l.run.Host, l.run.PID
	lock, err := locker.Acquire(ctx, l.sessions(req.Ensemble), req.Lock)
	if err != nil {
		return Grant{}, err
	}
	if err := l.keep(ctx, req, lock); err != nil {
		letGo(context.WithoutCancel(ctx), lock)
		return Grant{}, err
	}
	return Grant{Znode: lock.Znode(), Token: lock.Token(), SessionTimeout: lock.SessionTimeout()}, nil
}

// valid says why no lock can be had with an ensemble, before anything is sent to it.
func valid(ensemble zookeeper.Config) error {
	if err := ensemble.Validate(); err != nil {
		return fmt.Errorf("%w: %w", locker.ErrRequest, err)
	}
	return nil
}

// while is ctx for as long as l lives.
func (l *Local) while(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(l.life, func() { cancel(context.Cause(l.life)) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}

// patiently is ctx for as long as l lives, and for no longer than a server that is
// away is worth waiting for: whoever gave the order waits too, and so would Close,
// which tries for itself.
func (l *Local) patiently(ctx context.Context, ensemble zookeeper.Config) (context.Context, context.CancelFunc) {
	ctx, stop := l.while(ctx)
	ctx, cancel := context.WithTimeoutCause(ctx, ensemble.ConnectTimeout, errUnconfirmed)
	return ctx, func() {
		cancel()
		stop()
	}
}

func (l *Local) sessions(ensemble zookeeper.Config) locker.Sessions {
	return func(ctx context.Context) (*zookeeper.Session, error) {
		return l.pool.Session(ctx, ensemble)
	}
}

// enter counts an acquire in, so that Close can wait for it.
func (l *Local) enter() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.life.Err() != nil {
		return ErrEnded
	}
	l.pending.Add(1)
	return nil
}

// Release implements [Holder]. It waits for the server no longer than the
// ensemble's connect timeout. After any error but a [*LostError] the lock is still
// in the books and can be released again.
func (l *Local) Release(ctx context.Context, znode Znode) error {
	ctx, cancel := l.patiently(ctx, znode.Ensemble)
	defer cancel()
	if znode.Durable {
		if err := valid(znode.Ensemble); err != nil {
			return err
		}
		err := locker.RemoveDurable(ctx, l.sessions(znode.Ensemble), znode.Path)
		logRelease(l.log, znode.Path, err)
		return err
	}
	l.mu.Lock()
	h, ok := l.locks[keyOf(znode)]
	l.mu.Unlock()
	if !ok {
		return nil
	}
	err := l.give(ctx, h)
	if lost := (*LostError)(nil); err != nil && !errors.As(err, &lost) {
		return err
	}
	l.mu.Lock()
	delete(l.locks, keyOf(znode))
	l.mu.Unlock()
	return err
}

// Describe implements [Holder].
func (l *Local) Describe(ctx context.Context, znode Znode, info string) error {
	if err := valid(znode.Ensemble); err != nil {
		return err
	}
	ctx, cancel := l.patiently(ctx, znode.Ensemble)
	defer cancel()
	session, err := l.pool.Session(ctx, znode.Ensemble)
	if err != nil {
		return err
	}
	return locker.DescribeDurable(ctx, session, znode.Path, info)
}

// Held counts the locks that are held.
func (l *Local) Held() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.locks)
}

// Close releases all locks and ends all sessions, with which everything that
// could not be released goes too. Whatever is still waiting for a lock fails.
// It takes seconds at most, also where no server answers.
func (l *Local) Close() error {
	l.mu.Lock()
	l.end(ErrEnded)
	locks := l.locks
	l.locks = nil
	l.mu.Unlock()
	l.pending.Wait()

	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	var (
		wg    sync.WaitGroup
		slots = make(chan struct{}, releasers)
		errs  = make(chan error, len(locks))
	)
	for _, lock := range locks {
		slots <- struct{}{}
		wg.Go(func() {
			errs <- l.give(ctx, lock)
			<-slots
		})
	}
	wg.Wait()
	close(errs)
	var all []error
	for err := range errs {
		all = append(all, err)
	}
	l.pool.Close()
	return errors.Join(all...)
}
