package holder

import (
	"context"
	"errors"
	"strings"
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
	// releasers bounds how many locks Close releases at once.
	releasers = 64
)

// Local holds locks in this process.
type Local struct {
	run  run.Run
	pool zookeeper.Pool

	life    context.Context // ends with Close
	end     context.CancelCauseFunc
	pending sync.WaitGroup // acquires

	mu    sync.Mutex
	locks map[lockKey]*locker.Lock
}

var _ Holder = (*Local)(nil)

type lockKey struct{ servers, znode string }

func keyOf(z Znode) lockKey {
	return lockKey{strings.Join(z.Ensemble.Servers, ","), z.Path}
}

// NewLocal returns a holder that works for r and lives until Close.
func NewLocal(r run.Run) *Local {
	l := &Local{run: r, locks: make(map[lockKey]*locker.Lock)}
	l.life, l.end = context.WithCancelCause(context.Background())
	return l
}

// Acquire implements [Holder].
func (l *Local) Acquire(ctx context.Context, req Request) (Grant, error) {
	if err := l.enter(); err != nil {
		return Grant{}, err
	}
	defer l.pending.Done()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(l.life, func() { cancel(context.Cause(l.life)) })()

	req.Lock.Data.Run, req.Lock.Data.Host, req.Lock.Data.PID = l.run.ID, l.run.Host, l.run.PID
	sessions := func(ctx context.Context) (*zookeeper.Session, error) {
		return l.pool.Session(ctx, req.Ensemble)
	}
	lock, err := locker.Acquire(ctx, sessions, req.Lock)
	if err != nil {
		return Grant{}, err
	}
	if err := l.keep(ctx, req.Ensemble, lock); err != nil {
		letGo(lock)
		return Grant{}, err
	}
	return Grant{Znode: lock.Znode(), Token: lock.Token()}, nil
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

// keep takes the lock into the books, unless nobody waits for it any more.
func (l *Local) keep(ctx context.Context, ensemble zookeeper.Config, lock *locker.Lock) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	l.locks[keyOf(Znode{ensemble, lock.Znode()})] = lock
	return nil
}

// letGo releases a lock that came too late. Where ZooKeeper cannot be reached in
// time the end of the session does it.
func letGo(lock *locker.Lock) {
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	_ = lock.Release(ctx)
}

// Release implements [Holder]. After an error the lock is still in the books and
// can be released again.
func (l *Local) Release(ctx context.Context, znode Znode) (bool, error) {
	l.mu.Lock()
	lock, ok := l.locks[keyOf(znode)]
	l.mu.Unlock()
	if !ok {
		return false, nil
	}
	if err := lock.Release(ctx); err != nil {
		return true, err
	}
	l.mu.Lock()
	delete(l.locks, keyOf(znode))
	l.mu.Unlock()
	return true, nil
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
			errs <- lock.Release(ctx)
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
