package locker

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

const (
	// withdrawTime is how long an acquire that has failed stays to see its
	// contender removed before it leaves that to the background.
	withdrawTime = 2 * time.Second
	// persistentWithdrawTime is the same for a contender that no session's end removes.
	persistentWithdrawTime = time.Minute
	// removePause is between two tries to find a session for that.
	removePause = 100 * time.Millisecond
)

// node is the znode of a contender of ours.
type node struct {
	session  *zookeeper.Session
	sessions Sessions // for a persistent one, which outlives its session
	done     func()   // called when it needs the session no more
	dir      string
	prefix   string // of its name, ours alone; "" for one that another process created
	name     string // "" before it is known
	refused  bool   // the server has refused to create it

	czxid      int64 // 0 before it is known
	token      int64 // see Lock.Token; 0 before it is known
	persistent bool  // or it may be, and we do not know
	own        *zookeeper.Watch

	made    bool  // we made the directory
	version int32 // of its data then
	crowded bool  // it had other children when it was looked at last

	removing sync.Mutex
	removal  *removal // the last one, under way or not
}

func (n *node) path() string { return n.dir + "/" + n.name }

// find looks for our znode when a reply was lost. It keeps the lowest if there are
// several, and removes the others.
func (n *node) find(ctx context.Context) (bool, error) {
	// A server that lags behind could hide what another server has created.
	err := n.session.Barrier(ctx)
	var listing zookeeper.Listing
	if err == nil {
		listing, err = n.session.Children(ctx, n.dir)
	}
	switch {
	case errors.Is(err, zookeeper.ErrNoNode):
		n.name = ""
		return false, nil
	case err != nil:
		return false, err
	}
	queue, _ := Contenders(listing.Names)
	return n.settle(ctx, queue)
}

// settle picks our znode, the lowest of ours in the queue, and removes the others, which
// lost replies can leave.
func (n *node) settle(ctx context.Context, queue []Contender) (bool, error) {
	n.name = ""
	for _, contender := range queue {
		if !strings.HasPrefix(contender.Name, n.prefix) {
			continue
		}
		if n.name == "" {
			n.name = contender.Name
			continue
		}
		err := n.session.Delete(ctx, n.dir+"/"+contender.Name)
		if err != nil && !errors.Is(err, zookeeper.ErrNoNode) {
			return false, err
		}
	}
	return n.name != "", nil
}

// recover finds out, with a new session, what has become of our znode: it is persistent,
// or else it is removed.
func (n *node) recover(ctx context.Context) (persistent bool, err error) {
	n.own, n.czxid = nil, 0
	found, err := n.find(ctx)
	if err != nil || !found {
		return false, err
	}
	stat, err := n.session.Stat(ctx, n.path())
	if err == nil && stat.EphemeralOwner == 0 {
		n.persistent = true
		return true, nil
	}
	if err == nil {
		// The server has not ended the session yet. Should it refuse, it will.
		err = n.session.Delete(ctx, n.path())
	}
	if zookeeper.Answered(err) {
		err = nil
	}
	n.persistent = false
	return false, err
}

// removal is the deletion of a znode.
type removal struct {
	left  string // how to call the znode if it may be persistent
	ended chan struct{}
	err   error // once it has ended
}

// remove deletes the znode and then, if that leaves it empty, the directory. It returns
// nil once the server has confirmed it or the session that would keep the znode is over,
// and a [*LeftError] if it stays. When ctx ends first the deletion goes on, and the
// error is a LeftError for a znode that may be persistent, else ctx's cause. Calls that
// come meanwhile wait for the same deletion. known, if not nil, is closed when all about
// the creation is known.
func (n *node) remove(ctx context.Context, known <-chan struct{}) error {
	n.removing.Lock()
	r := n.removal
	if r == nil || r.over() && r.err != nil {
		r = &removal{ended: make(chan struct{})}
		if n.persistent { // and so all about its creation is known
			r.left = n.shownPath()
		}
		n.removal = r
		background := context.WithoutCancel(ctx)
		go func() {
			defer close(r.ended)
			if known != nil {
				<-known
			}
			r.err = n.removeAll(background)
		}()
	}
	n.removing.Unlock()
	select {
	case <-r.ended:
		return r.err
	case <-ctx.Done():
	}
	if r.left != "" {
		return &LeftError{Znode: r.left, Durable: true, Err: context.Cause(ctx)}
	}
	return context.Cause(ctx)
}

func (r *removal) over() bool {
	select {
	case <-r.ended:
		return true
	default:
		return false
	}
}

// removeAll removes all that there can be of ours.
func (n *node) removeAll(ctx context.Context) error {
	defer func() { n.done() }()
	if n.refused {
		return nil
	}
	for {
		err := n.removeOnce(ctx)
		over := n.session.Err() != nil
		switch {
		case err == nil, errors.Is(err, zookeeper.ErrNoNode), over && !n.persistent:
			return nil
		case over:
			if err := n.renew(ctx); err != nil {
				return &LeftError{Znode: n.shownPath(), Durable: true, Err: err}
			}
		case zookeeper.Answered(err):
			return n.stays(err)
		}
	}
}

// renew gets a session in place of one that is over, for as long as sessions are given.
func (n *node) renew(ctx context.Context) error {
	for {
		s, err := n.sessions(ctx)
		if err == nil {
			n.done()
			n.session, n.done = s, s.Use()
			return nil
		}
		if errors.Is(err, zookeeper.ErrClosed) {
			return err
		}
		timer := time.NewTimer(removePause)
		<-timer.C
	}
}

// stays deals with a server that will not delete our znode: it goes with the session,
// at once if nobody else needs that.
func (n *node) stays(err error) error {
	if n.persistent {
		return &LeftError{Znode: n.shownPath(), Durable: true, Err: err}
	}
	n.session.Retire()
	n.done()
	if n.session.Err() != nil {
		return nil
	}
	return &LeftError{Znode: n.shownPath(), Err: err}
}

// shownPath is for messages: the name may not be known.
func (n *node) shownPath() string {
	if n.name == "" {
		return n.dir + "/" + n.prefix + "…"
	}
	return n.path()
}

// removeOnce takes one request where nobody else was in the directory.
func (n *node) removeOnce(ctx context.Context) error {
	if n.name == "" {
		if found, err := n.find(ctx); err != nil || !found {
			return err
		}
	}
	if n.made && !n.crowded {
		_, err := n.session.Multi(ctx, zookeeper.Delete(n.path()), zookeeper.DeleteUnchanged(n.dir, n.version))
		if err == nil || !zookeeper.Answered(err) {
			return err
		}
		// Others keep the directory or have written to it, or our znode is gone.
	}
	err := n.session.Delete(ctx, n.path())
	if err == nil || errors.Is(err, zookeeper.ErrNoNode) {
		n.removeDirectory(ctx)
	}
	return err
}

// removeDirectory deletes the directory if all others have left it. If not, the last of
// them sees to it. One that somebody has written to, or whose ACL somebody has set, is
// theirs: the next one would be made without that. It looks first, as the next one to
// hold the lock would wait behind a write that is refused.
func (n *node) removeDirectory(ctx context.Context) {
	access, err := n.session.Access(ctx, n.dir)
	if err == nil && access.Ours && access.Stat.NumChildren == 0 && access.Stat.DataLength == 0 {
		_ = n.session.DeleteUnchanged(ctx, n.dir, access.Stat.Version) // others may have come
	}
}
