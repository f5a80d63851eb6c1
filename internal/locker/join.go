package locker

import (
	"context"
	"errors"
	"fmt"

	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// join creates our znode, and the directory where it is missing. first tells that we
// hold the lock already, because we made the directory in the same transaction: nobody
// can have come before.
func (n *node) join(ctx context.Context, data Data) (first bool, err error) {
	holding := data
	holding.HeldSince, holding.Once = data.Since, false
	for {
		first, err = n.create(ctx, data.encode(), holding.encode())
		switch {
		case err == nil:
			return first, n.numbered()
		case zookeeper.Answered(err):
			n.refused = true
			return false, n.whichQuota(ctx, err)
		case n.session.Err() != nil, ctx.Err() != nil:
			return false, err
		}
		// The reply is lost: the znode may exist.
		if found, err := n.find(ctx); found || err != nil {
			return false, errors.Join(err, n.numbered())
		}
	}
}

// create sends the requests once. The znode says waiting, or holding if we hold the lock
// with its creation.
func (n *node) create(ctx context.Context, waiting, holding []byte) (first bool, err error) {
	for {
		results, err := n.session.Multi(ctx,
			zookeeper.Create(n.dir, nil, zookeeper.Persistent),
			zookeeper.Create(n.dir+"/"+n.prefix, holding, zookeeper.EphemeralSequential),
			// Changes nothing; its answer is the only one in a transaction that
			// tells the zxid, which is also the czxid of our znode.
			zookeeper.Set(n.dir, nil, 0))
		switch {
		case err == nil:
			n.name = nameOf(results[1].Path)
			n.czxid = results[2].Stat.Mzxid
			n.token = n.czxid
			n.made, n.version = true, results[2].Stat.Version
			return true, nil
		case errors.Is(err, zookeeper.ErrNodeExists), errors.Is(err, zookeeper.ErrNoAuth):
			// Whether we may create the directory is looked at first, also where it
			// is there.
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
			// Its last contender took the directory along.
		case errors.Is(err, zookeeper.ErrNoNode):
			if err := n.makeParents(ctx, n.dir); err != nil {
				return false, err
			}
		default:
			return false, err
		}
	}
}

// makeParents creates what is missing above path, and nothing else: those further
// up may not be ours to write to. Everyone may use the one that the lock's directory is
// in, as other users' locks are there, too.
func (n *node) makeParents(ctx context.Context, path string) error {
	parent, _ := split(path)
	for parent != "" {
		var err error
		if path == n.dir {
			err = n.session.CreateShared(ctx, parent)
		} else {
			_, err = n.session.Create(ctx, parent, nil, zookeeper.Persistent)
		}
		switch {
		case err == nil, errors.Is(err, zookeeper.ErrNodeExists):
			return nil
		case errors.Is(err, zookeeper.ErrNoAuth):
			return missing(parent, err)
		case !errors.Is(err, zookeeper.ErrNoNode):
			return err
		}
		if err := n.makeParents(ctx, parent); err != nil {
			return err
		}
	}
	return nil
}

// missing explains why a znode that is not there was not created.
func missing(path string, err error) error {
	return fmt.Errorf("%s does not exist, and this client may not create it: %w", path, err)
}

// numbered fails if the directory's counter has come to its end.
func (n *node) numbered() error {
	own, ok := ParseContender(n.name)
	if ok && (own.Sequence == lastSequence || own.Sequence < 0) { // before 3.5 it wraps around
		return fmt.Errorf("%w: %s", ErrUsedUp, n.dir)
	}
	return nil
}

func nameOf(znode string) string {
	_, name := split(znode)
	return name
}
