package locker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// withdrawTime is how long an acquire that has failed stays to see its
// contender removed before it leaves that to the background.
const withdrawTime = 2 * time.Second

// durableWithdrawTime is the same for a contender that may be durable already,
// which nothing else would remove.
const durableWithdrawTime = time.Minute

// Lock is a held lock. Its methods are safe for concurrent use.
type Lock struct {
	contender
	token int64

	life context.Context // ends when the lock is lost, by the reason
	lose context.CancelCauseFunc

	// Of the watch over it, which is a timer rather than a goroutine: thousands of
	// locks may be held.
	watched context.Context
	stop    context.CancelFunc
	looking sync.Mutex // held by a look, and where the watch begins and ends
	next    *time.Timer
	forget  func() bool // no look when the session is lost

	releasing sync.Mutex
	released  bool
}

// contender is what it takes to remove a contender of ours.
type contender struct {
	session  *zookeeper.Session
	sessions Sessions // for a durable one, which outlives its session
	dir      string
	node     string // its name; "" before it is known
	plain    bool   // the directory is known to hold no data and may go when it is empty
	version  int32  // of the directory's data then
	crowded  bool   // it had other children
	heir     bool   // all of them contenders, who waited for us alone
	durable  bool   // or it may be, and we do not know
}

func (c *contender) path() string { return c.dir + "/" + c.node }

// saw takes note of the directory as it was with our contender in it.
func (c *contender) saw(dir *zookeeper.Stat, heir bool) {
	c.plain, c.version = dir.DataLength == 0, dir.Version
	c.crowded, c.heir = dir.NumChildren > 1, heir
}

// newLock keeps the lock under watch, for longer than the ctx that it was waited
// for with.
func newLock(ctx context.Context, c contender, token int64) *Lock {
	ctx = context.WithoutCancel(ctx)
	l := &Lock{contender: c, token: token}
	l.life, l.lose = context.WithCancelCause(ctx)
	if c.durable {
		return l
	}
	l.watched, l.stop = context.WithCancel(ctx)
	l.looking.Lock()
	defer l.looking.Unlock()
	// The request whose answer gave us the lock may have been sent long ago.
	l.next = time.AfterFunc(time.Until(c.session.Answered().Add(l.third())), l.look)
	l.forget = c.session.OnLost(l.look)
	return l
}

// Znode is the absolute path of our contender.
func (l *Lock) Znode() string { return l.path() }

// Durable tells whether the lock outlives its session and this process. Nothing
// watches over a durable lock: it is held until it is released, by whatever
// process (see [RemoveDurable]), or deleted by an operator.
func (l *Lock) Durable() bool { return l.durable }

// Token is the fencing token: the zxid of the transaction that created our
// contender. Of two holds of one lock the later one has the greater token.
func (l *Lock) Token() int64 { return l.token }

// Lost is closed when the lock may no longer be ours though we did not release
// it; [Lock.Err] tells why. It is closed no later than the server can give the
// lock to another, unless this process is kept from running.
func (l *Lock) Lost() <-chan struct{} { return l.life.Done() }

// OnLost has f called, in a goroutine of its own, when Lost is closed. stop keeps
// it from being called and is false if that has happened already, or stop has.
func (l *Lock) OnLost(f func()) (stop func() bool) { return context.AfterFunc(l.life, f) }

// Err is nil while the lock is held, and after Lost was closed the reason:
// [ErrNodeGone], [ErrSilence] or the session's end.
func (l *Lock) Err() error { return context.Cause(l.life) }

// SessionTimeout is the timeout that the server granted to the session that the
// lock ends with, or that a durable one was taken with.
func (l *Lock) SessionTimeout() time.Duration { return l.session.Timeout() }

// third is how long the watch may go without asking.
func (l *Lock) third() time.Duration { return l.session.Timeout() / 3 }

// look asks for the lock's znode, which it does at least every third of the session
// timeout, and gives the lock up when it is gone, or when no answer has come for
// the whole timeout, counted from the sending of the last answered request.
func (l *Lock) look() {
	l.looking.Lock()
	defer l.looking.Unlock()
	if l.watched.Err() != nil {
		return
	}
	l.next.Reset(l.third())
	err := l.ask(l.watched)
	if err == nil || l.watched.Err() != nil {
		return
	}
	l.lose(err)
	l.endWatch()
}

// unwatch ends the watch, also a look under way.
func (l *Lock) unwatch() {
	if l.durable {
		return
	}
	l.stop()
	l.looking.Lock()
	defer l.looking.Unlock()
	l.endWatch()
}

func (l *Lock) endWatch() {
	l.stop()
	l.next.Stop()
	l.forget()
}

// ask returns nil if the server says that the lock is ours, and why it is not
// when the server says so or cannot be reached before the session may be over.
func (l *Lock) ask(ctx context.Context) error {
	for {
		until, cancel := context.WithDeadlineCause(ctx, l.session.Answered().Add(l.session.Timeout()), ErrSilence)
		err := l.session.Confirm(until, l.third()/2)
		var stat *zookeeper.Stat
		if err == nil {
			stat, err = l.session.Stat(until, l.Znode())
		}
		silent := until.Err() != nil
		cancel()
		switch {
		case err == nil && stat.EphemeralOwner == l.session.ID():
			return nil
		case err == nil, errors.Is(err, zookeeper.ErrNoNode):
			return ErrNodeGone
		case l.session.Err() != nil:
			return l.session.Err()
		case silent:
			return ErrSilence
		case !zookeeper.Disconnected(err):
			return err
		}
	}
}

// Release gives the lock up: it deletes exactly our znode, and the directory if
// that leaves it empty. It returns nil once the server has confirmed it or the
// session is over, and can be called again after an error.
func (l *Lock) Release(ctx context.Context) error {
	l.unwatch()
	l.releasing.Lock()
	defer l.releasing.Unlock()
	if l.released {
		return nil
	}
	if err := l.remove(ctx); err != nil {
		return fmt.Errorf("locker: release %s: %w", l.Znode(), err)
	}
	l.released = true
	return nil
}

// remove deletes the contender and then, if that leaves it empty, the directory.
// It tries until the server has answered, the session that would keep it is over
// or ctx ends.
func (c *contender) remove(ctx context.Context) error {
	for {
		if c.durable && c.session.Err() != nil {
			s, err := c.sessions(ctx)
			if err != nil {
				return err
			}
			c.session = s
		}
		err := c.removeOnce(ctx)
		switch {
		case err == nil, errors.Is(err, zookeeper.ErrNoNode), !c.durable && c.session.Err() != nil:
			return nil
		case c.session.Err() == nil && !zookeeper.Disconnected(err):
			return err
		case ctx.Err() != nil:
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}
}

// removeOnce takes one request where nobody else is there, or they all wait for us;
// else it hands the lock on with its first one.
func (c *contender) removeOnce(ctx context.Context) error {
	if c.plain && (!c.crowded || c.heir) {
		err := c.removeInOne(ctx)
		if err == nil || !zookeeper.Answered(err) {
			return err
		}
		// Others keep the directory or have written to it, or our znode is gone.
	}
	err := c.session.Delete(ctx, c.path())
	if c.plain && (err == nil || errors.Is(err, zookeeper.ErrNoNode)) {
		// A look, as the next one to hold the lock would wait behind a write that is
		// refused.
		stat, statErr := insist(ctx, c.session, func() (*zookeeper.Stat, error) { return c.session.Stat(ctx, c.dir) })
		if statErr == nil {
			c.removeDirectory(ctx, stat)
		}
	}
	return err
}

// removeInOne removes the contender by a transaction with the directory as we saw it
// last.
func (c *contender) removeInOne(ctx context.Context) error {
	if !c.crowded {
		_, err := c.session.Multi(ctx, zookeeper.Delete(c.path()), zookeeper.DeleteUnchanged(c.dir, c.version))
		return err
	}
	// The Set changes nothing; its answer tells how many are left. Who counts on the
	// version is refused: of several holders, each would refuse the next.
	results, err := c.session.Multi(ctx, zookeeper.Delete(c.path()), zookeeper.Set(c.dir, nil, c.version))
	if err == nil {
		c.removeDirectory(ctx, results[1].Stat)
	}
	return err
}

// removeDirectory deletes the directory if all others had left it by stat. If not,
// the last of them sees to it. What somebody has written to is theirs.
func (c *contender) removeDirectory(ctx context.Context, stat *zookeeper.Stat) {
	if stat.NumChildren > 0 || stat.DataLength > 0 {
		return
	}
	_, _ = insist(ctx, c.session, func() (struct{}, error) {
		return struct{}{}, c.session.DeleteUnchanged(ctx, c.dir, stat.Version)
	})
}

// withdraw removes what an acquire that failed may have left: our contender, or
// those that a lost reply hides. It waits a moment for the server to confirm and
// otherwise goes on in the background until that or the end of the session,
// which removes them too.
func (c *candidate) withdraw(ctx context.Context) {
	if c.durable && c.session.Err() != nil && c.limbo == nil && ctx.Err() == nil {
		c.limbo = c // the next session will tell
		return
	}
	ctx = context.WithoutCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		<-c.enqueued
		if c.node == "" {
			if found, err := c.find(ctx); err != nil || !found {
				return
			}
		}
		own := c.contender
		for {
			err := own.remove(ctx)
			if err == nil || !own.durable || errors.Is(err, zookeeper.ErrClosed) || zookeeper.Answered(err) {
				return // an error here is the server's veto: then the session's end removes it
			}
		}
	}()
	patience := withdrawTime
	if c.durable {
		patience = durableWithdrawTime
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}
