package holder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/run"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

const (
	// closeTime bounds how long Close tries to release the locks, which also removes
	// their directories, before it ends the sessions.
	closeTime = 3 * time.Second
	// durableTime bounds how long the holder tries to release a durable lock that nobody
	// waits for any more: the end of a session does not remove it.
	durableTime = time.Minute
	// releasers is how many locks Close releases at once.
	releasers = 64
)

// ErrUnconfirmed says that a request may have been carried out, or not.
var ErrUnconfirmed = errors.New("holder: ZooKeeper did not confirm it within the connect timeout")

// Local holds locks in this process.
type Local struct {
	run       run.Run
	onLoss    func(Loss, bool)
	pool      zookeeper.Pool
	log       *slog.Logger
	sentinel  *sentinel // of a holder process; else nil, as the next two
	onOverdue func(Overdue)
	teller    *teller
	pace      pace // at which the teller tells of a wait

	life    context.Context // ends with Close
	end     context.CancelCauseFunc
	pending sync.WaitGroup // acquires

	mu      sync.Mutex
	refusal error               // ends every acquire, if not nil
	gaveUp  error               // a deadlock, after which the run waits for no lock; or nil
	locks   map[lockKey][]*lock // that are waited for or held, and not lost
	grants  map[string]*lock    // by the ids of their grants, also lost locks
	held    map[*lock]struct{}  // also lost locks that have grants
}

var _ Holder = (*Local)(nil)

// NewLocal returns a holder that works for r until Close. onLoss, if not nil, is called
// for each lock that is lost. interrupt says whether a grant asks for an interrupt.
func NewLocal(r run.Run, onLoss func(loss Loss, interrupt bool)) *Local {
	l := &Local{
		run: r, onLoss: onLoss, log: silent(), pace: usualPace,
		locks: make(map[lockKey][]*lock), grants: make(map[string]*lock), held: make(map[*lock]struct{}),
	}
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
	if err := valid(req.Ensemble); err != nil {
		return Grant{}, err
	}
	ctx, cancel := l.while(ctx)
	defer cancel()
	w := newWaiter(req)
	defer w.stop()
	for {
		k, leaving, err := l.join(ctx, w)
		switch {
		case err != nil:
			return Grant{}, err
		case leaving != nil: // the lock is being released
			select {
			case <-leaving:
				continue
			case <-ctx.Done():
				return Grant{}, context.Cause(ctx)
			}
		}
		grant, err := l.await(ctx, k, w)
		if errors.Is(err, errGone) || errors.Is(err, locker.ErrBusy) && w.hasTime() {
			continue // it was lost, or only the time of the first waiter is over
		}
		return grant, err
	}
}

// valid returns what is wrong with the settings of an ensemble, or nil.
func valid(ensemble zookeeper.Config) error {
	if err := ensemble.Validate(); err != nil {
		return fmt.Errorf("%w: %w", locker.ErrRequest, err)
	}
	return nil
}

// while returns a context that ends with ctx or with l.
func (l *Local) while(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(l.life, func() { cancel(context.Cause(l.life)) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}

// patiently is [Local.while], for no longer than the connect timeout: the caller waits,
// and so does Close, which then tries for itself.
func (l *Local) patiently(ctx context.Context, ensemble zookeeper.Config) (context.Context, context.CancelFunc) {
	ctx, stop := l.while(ctx)
	ctx, cancel := context.WithTimeoutCause(ctx, ensemble.ConnectTimeout, ErrUnconfirmed)
	return ctx, func() {
		cancel()
		stop()
	}
}

// connect waits for a session. That has its own timeout, and its error says more than
// that of a request without an answer.
func (l *Local) connect(ctx context.Context, ensemble zookeeper.Config) error {
	if err := valid(ensemble); err != nil {
		return err
	}
	_, err := l.pool.Session(ctx, ensemble)
	return err
}

func (l *Local) sessions(ensemble zookeeper.Config) locker.Sessions {
	return func(ctx context.Context) (*zookeeper.Session, error) {
		return l.pool.Session(ctx, ensemble)
	}
}

// Release implements [Holder]. It waits for the server no longer than the
// ensemble's connect timeout. After any error but a [*LostError] the grant is still
// there and can be released again.
func (l *Local) Release(ctx context.Context, znode Znode) error {
	if znode.Durable {
		// Also when this holder is about to end: no other is asked.
		if err := l.connect(ctx, znode.Ensemble); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeoutCause(ctx, znode.Ensemble.ConnectTimeout, ErrUnconfirmed)
		defer cancel()
		return l.releaseDurable(ctx, znode)
	}
	ctx, cancel := l.patiently(ctx, znode.Ensemble)
	defer cancel()
	return l.releaseGrant(ctx, znode.Grant)
}

// Describe implements [Holder].
func (l *Local) Describe(ctx context.Context, znode Znode, info string) error {
	if err := l.connect(ctx, znode.Ensemble); err != nil {
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

// Own implements [Holder].
func (l *Local) Own(_ context.Context, dir string) ([]locker.Identity, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var own []locker.Identity
	for k := range l.held {
		if k.key.dir == dir && k.loss == nil && k.Err() == nil {
			own = append(own, k.Identity())
		}
	}
	return own, nil
}

// Held counts the locks that are held, with durable ones.
func (l *Local) Held() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.held)
}

// refuse ends all present and future acquires by err.
func (l *Local) refuse(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refusal != nil {
		return
	}
	l.refusal = err
	for _, locks := range l.locks {
		for _, k := range locks {
			k.cancel(err)
		}
	}
}

// Close releases all locks but the durable ones, and ends all sessions and all waits. The
// end of the sessions releases what could not be released before. Close takes a few
// seconds at most, also if no server answers. It returns the first error of a release.
func (l *Local) Close() error {
	defer l.pool.Close()
	return l.releaseAll()
}

// releaseAll is Close without the end of the sessions.
func (l *Local) releaseAll() error {
	l.mu.Lock()
	l.end(ErrEnded)
	l.mu.Unlock()
	l.pending.Wait()

	l.mu.Lock()
	held := l.held
	l.held = make(map[*lock]struct{})
	l.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	var all errgroup.Group
	all.SetLimit(releasers)
	for k := range held {
		if !k.req.Lock.Durable {
			all.Go(func() error { return l.give(ctx, k) })
		}
	}
	return all.Wait()
}
