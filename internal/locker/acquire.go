package locker

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// NoLimit as [Request.Wait] queues until the lock is ours.
const NoLimit time.Duration = -1

// verdictTime bounds what an acquire may take beyond its wait once it had a
// session, for the requests to an ensemble that is slow or away.
const verdictTime = 15 * time.Second

// Request says which lock to take.
type Request struct {
	LockID string // for messages
	Dir    string // see Directory
	// Wait is how long to queue: 0 tries once, NoLimit waits until the lock is
	// ours. It counts from the call, with everything that happens meanwhile.
	Wait time.Duration
	Data Data
}

// Sessions gives the session to queue with: the living one, or a new one when
// the last was lost.
type Sessions func(context.Context) (*zookeeper.Session, error)

// Acquire queues for the lock and returns it once it is held. Otherwise nothing
// of ours stays in the queue, and the error is
//   - a [*BusyError] when req.Wait was over,
//   - an [*OwnRunError] as soon as a contender of the same run is before us,
//   - the context's cause when ctx ended,
//   - else what ZooKeeper or the connection to it said.
//
// A session that expires while waiting costs the place in the queue, not the
// deadline. A contender that the server cannot be asked to remove at once is
// removed as soon as it can be, or ends with its session.
func Acquire(ctx context.Context, sessions Sessions, req Request) (*Lock, error) {
	a := &attempt{Request: req}
	if req.Wait >= 0 {
		a.deadline = time.Now().Add(req.Wait)
	}
	s, err := sessions(ctx)
	if err == nil && req.Wait >= 0 {
		limit := time.Now()
		if limit.Before(a.deadline) {
			limit = a.deadline
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadlineCause(ctx, limit.Add(verdictTime), errNoVerdict)
		defer cancel()
	}
	for err == nil {
		var lock *Lock
		if lock, err = a.queue(ctx, s); err == nil {
			return lock, nil
		}
		if ctx.Err() == nil && (s.Err() != nil || errors.Is(err, ErrNodeGone)) {
			s, err = sessions(ctx)
		}
	}
	if errors.Is(err, ErrBusy) || errors.Is(err, ErrOwnRun) {
		return nil, err
	}
	return nil, fmt.Errorf("locker: lock %q: %w", req.LockID, err)
}

var errNoVerdict = fmt.Errorf("no verdict from ZooKeeper within %v after the wait", verdictTime)

// attempt is one call of Acquire.
type attempt struct {
	Request
	deadline time.Time // zero: none
}

// candidate is our contender in one session.
type candidate struct {
	*attempt
	session *zookeeper.Session
	prefix  string // of its name, ours alone
	node    string // its name; "" before it is known
	token   int64  // its czxid; 0 before it is known
	plain   bool   // the directory is known to hold no data: it may go when it is empty
	queued  []Contender
}

// queue contends with one session.
func (a *attempt) queue(ctx context.Context, s *zookeeper.Session) (*Lock, error) {
	a.Data.Since = time.Now()
	c := &candidate{attempt: a, session: s, prefix: a.newPrefix()}
	first, err := c.enqueue(ctx)
	if err == nil && !first {
		err = c.wait(ctx)
	}
	if err != nil {
		c.withdraw()
		return nil, err
	}
	return newLock(contender{s, a.Dir, c.node, c.plain}, c.token), nil
}

// newPrefix is ex-, 32 hex digits and __lock__, which the zk gem, Kazoo and
// go-zookeeper take for an exclusive contender. The first 16 digits are the
// run's id, so that a look at the names alone tells the own run; the rest is
// random, so that the znode can be found when the reply to its creation is lost.
func (a *attempt) newPrefix() string {
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails
	id := hex.EncodeToString(random[:])
	if own := runPrefix(a.Data.Run); own != "" {
		id = a.Data.Run + id[:len(id)-len(a.Data.Run)]
	}
	return "ex-" + id + "__lock__"
}

// runIDLength is that of a run's id, in hex digits.
const runIDLength = 16

// runPrefix is what the names of a run's contenders begin with, "" if the run
// has no proper id.
func runPrefix(run string) string {
	if len(run) != runIDLength {
		return ""
	}
	return "ex-" + run
}

// enqueue creates the contender, and the directory where it is missing. first
// tells that we hold the lock already, because we made the directory in the
// same transaction: nobody can have come before.
func (c *candidate) enqueue(ctx context.Context) (first bool, err error) {
	for {
		var results []zookeeper.Result
		results, err = c.session.Multi(ctx,
			zookeeper.Create(c.Dir, nil, zookeeper.Persistent),
			zookeeper.Create(c.Dir+"/"+c.prefix, c.Data.encode(), zookeeper.EphemeralSequential),
			// Changes nothing; its answer is the only one in a transaction that
			// tells the zxid, which is also the czxid of our contender.
			zookeeper.Set(c.Dir, nil, 0))
		switch {
		case err == nil:
			c.node, c.token, c.plain = baseName(results[1].Path), results[2].Stat.Mzxid, true
			return true, nil
		case errors.Is(err, zookeeper.ErrNodeExists):
			var path string
			path, err = c.session.Create(ctx, c.Dir+"/"+c.prefix, c.Data.encode(), zookeeper.EphemeralSequential)
			c.node = baseName(path)
			if errors.Is(err, zookeeper.ErrNoNode) {
				continue // its last contender took the directory along
			}
		case errors.Is(err, zookeeper.ErrNoNode):
			if err = c.makeParents(ctx); err == nil {
				continue
			}
		}
		if err == nil || !c.again(ctx, err) {
			return false, err
		}
		// The reply is lost: the contender may exist.
		if found, err := c.find(ctx); found || err != nil {
			return false, err
		}
	}
}

func (c *candidate) makeParents(ctx context.Context) error {
	for i, r := range c.Dir {
		if r != '/' || i == 0 {
			continue
		}
		_, err := c.session.Create(ctx, c.Dir[:i], nil, zookeeper.Persistent)
		if err != nil && !errors.Is(err, zookeeper.ErrNodeExists) {
			return err
		}
	}
	return nil
}

// find looks for our contender after a lost reply, waiting for the connection
// to return. It keeps the lowest if there are several, and removes the others.
func (c *candidate) find(ctx context.Context) (bool, error) {
	for {
		// Without the sync, a server that lags behind could hide a contender
		// which another server has created.
		err := c.session.Sync(ctx, c.Dir)
		var listing zookeeper.Listing
		if err == nil {
			listing, err = c.session.Children(ctx, c.Dir)
		}
		switch {
		case err == nil:
			queue, _ := Contenders(listing.Names)
			return c.settle(ctx, queue)
		case errors.Is(err, zookeeper.ErrNoNode):
			c.node = ""
			return false, nil
		case !c.again(ctx, err):
			return false, err
		}
	}
}

// again tells whether a request that failed with err is worth another try on
// the same session: the connection was lost, and every request waits for its
// return.
func (c *candidate) again(ctx context.Context, err error) bool {
	return zookeeper.Disconnected(err) && ctx.Err() == nil && c.session.Err() == nil
}

// settle picks our contender, the lowest of ours in the queue, and removes the
// others, which lost replies can leave.
func (c *candidate) settle(ctx context.Context, queue []Contender) (bool, error) {
	c.node = ""
	for _, contender := range queue {
		if !strings.HasPrefix(contender.Name, c.prefix) {
			continue
		}
		if c.node == "" {
			c.node = contender.Name
			continue
		}
		err := c.session.Delete(ctx, c.Dir+"/"+contender.Name)
		if err != nil && !errors.Is(err, zookeeper.ErrNoNode) {
			return false, err
		}
	}
	return c.node != "", nil
}

// wait returns nil when our contender holds the lock. Whatever wakes it, it
// looks at the whole queue again: a woken waiter that does not look is how two
// clients come to hold one lock.
func (c *candidate) wait(ctx context.Context) error {
	var timer <-chan time.Time
	if !c.deadline.IsZero() {
		t := time.NewTimer(time.Until(c.deadline))
		defer t.Stop()
		timer = t.C
	}
	over := c.Wait == 0
	for {
		// Taken before the look: a connection that breaks after it wakes us.
		changed := c.session.Changed()
		before, err := c.look(ctx)
		if err != nil {
			if c.again(ctx, err) {
				continue
			}
			return err
		}
		if len(before) == 0 {
			return nil
		}
		if err := c.refuseOwnRun(ctx, before); err != nil {
			return err
		}
		if over {
			if err := c.busy(ctx, before); err != nil {
				return err
			}
			continue // the holder has just left
		}
		watch, err := c.session.GetWatch(ctx, c.Dir+"/"+before[len(before)-1].Name)
		if err != nil {
			if errors.Is(err, zookeeper.ErrNoNode) || c.again(ctx, err) {
				continue
			}
			return err
		}
		select {
		case <-watch.Event:
		case <-changed:
		case <-c.session.Lost():
		case <-timer:
			over = true // and look a last time
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// look lists the queue and returns who is before us. Our own znode must be
// there with our session as its owner; anything else is ErrNodeGone.
func (c *candidate) look(ctx context.Context) ([]Contender, error) {
	type owned struct {
		stat *zookeeper.Stat
		err  error
	}
	own := make(chan owned, 1)
	go func() {
		stat, err := c.session.Stat(ctx, c.Dir+"/"+c.node)
		own <- owned{stat, err}
	}()
	listing, err := c.session.Children(ctx, c.Dir)
	o := <-own
	if err := errors.Join(err, o.err); err != nil {
		if errors.Is(err, zookeeper.ErrNoNode) {
			return nil, ErrNodeGone
		}
		return nil, err
	}
	if o.stat.EphemeralOwner != c.session.ID() {
		return nil, ErrNodeGone
	}
	queue, _ := Contenders(listing.Names)
	node := c.node
	if found, err := c.settle(ctx, queue); err != nil {
		return nil, err
	} else if !found || c.node != node {
		return nil, ErrNodeGone
	}
	c.token, c.plain, c.queued = o.stat.Czxid, listing.Stat.DataLength == 0, queue
	i := slices.IndexFunc(queue, func(q Contender) bool { return q.Name == c.node })
	return blockers(queue, i), nil
}

// refuseOwnRun fails if a contender of our own run is before us: it holds the
// lock until the run ends, or waits to do so.
func (c *candidate) refuseOwnRun(ctx context.Context, before []Contender) error {
	own := runPrefix(c.Data.Run)
	for _, b := range before {
		if own == "" || !strings.HasPrefix(b.Name, own) {
			continue
		}
		other, err := readEntry(ctx, c.session, c.Dir, b)
		if err != nil {
			return err
		}
		if other != nil {
			return &OwnRunError{LockID: c.LockID, Other: *other}
		}
	}
	return nil
}

// busy is the error that says who holds the lock; nil if they have left since
// the last look.
func (c *candidate) busy(ctx context.Context, before []Contender) error {
	var holding []Contender
	for i, q := range c.queued {
		if len(blockers(c.queued, i)) == 0 {
			holding = append(holding, q)
		}
	}
	entries, err := read(ctx, c.session, c.Dir, holding)
	if err != nil {
		return err
	}
	busy := &BusyError{LockID: c.LockID, Dir: c.Dir, Waited: c.Wait, Place: len(before)}
	for _, entry := range entries {
		if entry != nil {
			busy.Holders = append(busy.Holders, *entry)
		}
	}
	if len(busy.Holders) == 0 {
		return nil
	}
	return busy
}

func baseName(path string) string {
	return path[strings.LastIndexByte(path, '/')+1:]
}
