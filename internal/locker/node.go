// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// sessionPause is between two tries to get a session to remove a durable node with.
const sessionPause = 100 * time.Millisecond

// node is the znode of our contender.
type node struct {
	session  *zookeeper.Session
	sessions Sessions // for a durable node, which outlives its session
	done     func()   // called when the session is not needed any more

	dir     string
	prefix  string        // of its name, ours alone; "" if another process created it
	name    string        // "" before it is known
	data    Data          // what it says
	created chan struct{} // closed once all about its creation is known; nil for another process's
	refused bool          // the server has refused to create it

	czxid        int64 // 0 before it is known
	token        int64 // see Lock.Token; 0 before it is known
	maybeDurable bool  // it is durable, or a reply was lost that would tell
	watch        *zookeeper.Watch

	madeDir    bool  // we created the directory
	dirVersion int32 // of the directory's data then
	crowded    bool  // at the last look the directory had other children

	removing sync.Mutex
	removal  *removal // the last one, under way or not
}

func (n *node) path() string { return n.dir + "/" + n.name }

// shownPath is the path for messages. The name may not be known.
func (n *node) shownPath() string {
	if n.name == "" {
		return n.dir + "/" + n.prefix + "…"
	}
	return n.path()
}

// use goes on with another session.
func (n *node) use(s *zookeeper.Session) {
	n.done()
	n.session, n.done = s, s.Use()
}

// create sends the requests once. It creates the directory where it is missing, in the
// same transaction. first tells that we hold the lock, because nobody can have come before
// us to a directory that we created. The node says waiting, or holding if we hold the lock.
func (n *node) create(ctx context.Context, waiting, holding []byte) (first bool, err error) {
	for {
		results, err := n.session.Multi(ctx,
			zookeeper.Create(n.dir, nil, zookeeper.Persistent),
			zookeeper.Create(n.dir+"/"+n.prefix, holding, zookeeper.EphemeralSequential),
			// Changes nothing. Its answer is the only one in a transaction that has the
			// zxid, which is also the czxid of our node.
			zookeeper.Set(n.dir, nil, 0))
		switch {
		case err == nil:
			n.name = nameOf(results[1].Path)
			n.czxid = results[2].Stat.Mzxid
			n.token = n.czxid
			n.madeDir, n.dirVersion = true, results[2].Stat.Version
			return true, nil
		case errors.Is(err, zookeeper.ErrNodeExists), errors.Is(err, zookeeper.ErrNoAuth):
			// The server first checks whether we may create the directory, also where it
			// exists.
			path, createErr := n.session.Create(ctx, n.dir+"/"+n.prefix, waiting, zookeeper.EphemeralSequential)
			if createErr == nil {
				n.name = nameOf(path)
			}
			if !errors.Is(createErr, zookeeper.ErrNoNode) {
				return false, createErr
			}
			if errors.Is(err, zookeeper.ErrNoAuth) {
				return false, missing(n.dir, err)
			}
			// Its last contender has just removed the directory.
		case errors.Is(err, zookeeper.ErrNoNode):
			if err := makeAbove(ctx, n.session, n.dir, true); err != nil {
				return false, err
			}
		default:
			return false, err
		}
	}
}

// find looks for our node when a reply was lost. It keeps the lowest if there are
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
	return n.pick(ctx, queue)
}

// pick finds our node, the lowest of ours in the queue, and removes the others, which
// lost replies can leave.
func (n *node) pick(ctx context.Context, queue []Contender) (bool, error) {
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

// removal is the deletion of a node.
type removal struct {
	left  string        // the path, for messages, of a node that may be durable
	ended chan struct{} // closed when err is set
	err   error
}

// remove deletes the node and then, if that leaves it empty, the directory. It returns nil
// once the server has confirmed that, or the session is over that would keep the node, and
// a [*LeftError] if the node stays. When ctx ends first the deletion goes on, and the error
// is a LeftError for a node that may be durable, and ctx's cause for others. Calls that
// come meanwhile wait for the same deletion.
func (n *node) remove(ctx context.Context) error {
	n.removing.Lock()
	r := n.removal
	if r == nil || received(r.ended) && r.err != nil {
		r = &removal{ended: make(chan struct{})}
		if n.maybeDurable { // and so all about its creation is known
			r.left = n.shownPath()
		}
		n.removal = r
		background := context.WithoutCancel(ctx)
		go func() {
			defer close(r.ended)
			if n.created != nil {
				<-n.created
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

// received tells whether there was something to receive, or c is closed.
func received[T any](c <-chan T) bool {
	select {
	case <-c:
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
		case err == nil, errors.Is(err, zookeeper.ErrNoNode), over && !n.maybeDurable:
			return nil
		case over:
			if err := n.renewSession(ctx); err != nil {
				return &LeftError{Znode: n.shownPath(), Durable: true, Err: err}
			}
		case zookeeper.Answered(err):
			return n.leave(err)
		}
	}
}

// renewSession gets a session in place of one that is over, for as long as sessions are
// given.
func (n *node) renewSession(ctx context.Context) error {
	for {
		s, err := n.sessions(ctx)
		if err == nil {
			n.use(s)
			return nil
		}
		if errors.Is(err, zookeeper.ErrClosed) {
			return err
		}
		timer := time.NewTimer(sessionPause)
		<-timer.C
	}
}

// leave leaves a node that the server refuses to delete. It ends with its session, which is
// closed at once if nobody else needs it.
func (n *node) leave(err error) error {
	if n.maybeDurable {
		return &LeftError{Znode: n.shownPath(), Durable: true, Err: err}
	}
	n.session.Retire()
	n.done()
	if n.session.Err() != nil {
		return nil
	}
	return &LeftError{Znode: n.shownPath(), Err: err}
}

// removeOnce takes one request where nobody else was in the directory.
func (n *node) removeOnce(ctx context.Context) error {
	if n.name == "" {
		if found, err := n.find(ctx); err != nil || !found {
			return err
		}
	}
	if n.madeDir && !n.crowded {
		_, err := n.session.Multi(ctx, zookeeper.Delete(n.path()), zookeeper.DeleteUnchanged(n.dir, n.dirVersion))
		if err == nil || !zookeeper.Answered(err) {
			return err
		}
		// Others are in the directory or have written to it, or our node is gone.
	}
	err := n.session.Delete(ctx, n.path())
	if err == nil || errors.Is(err, zookeeper.ErrNoNode) {
		removeDirectory(ctx, n.session, n.dir)
	}
	return err
}
