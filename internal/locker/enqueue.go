package locker

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// enqueue creates the contender, and the directory where it is missing. first
// tells that we hold the lock already, because we made the directory in the
// same transaction: nobody can have come before.
func (c *candidate) enqueue(ctx context.Context) (first bool, err error) {
	for {
		var results []zookeeper.Result
		results, err = c.session.Multi(ctx,
			zookeeper.Create(c.dir, nil, zookeeper.Persistent),
			zookeeper.Create(c.dir+"/"+c.prefix, c.Data.encode(), zookeeper.EphemeralSequential),
			// Changes nothing; its answer is the only one in a transaction that
			// tells the zxid, which is also the czxid of our contender.
			zookeeper.Set(c.dir, nil, 0))
		switch {
		case err == nil:
			c.node, c.token, c.plain = nameOf(results[1].Path), results[2].Stat.Mzxid, true
			c.version = results[2].Stat.Version
			return true, nil
		case errors.Is(err, zookeeper.ErrNodeExists), errors.Is(err, zookeeper.ErrNoAuth):
			// Whether we may create the directory is looked at first, also where it
			// is there.
			refused := err
			var path string
			path, err = c.session.Create(ctx, c.dir+"/"+c.prefix, c.Data.encode(), zookeeper.EphemeralSequential)
			c.node = nameOf(path)
			if errors.Is(err, zookeeper.ErrNoNode) {
				if errors.Is(refused, zookeeper.ErrNoAuth) {
					return false, missing(c.dir, refused)
				}
				continue // its last contender took the directory along
			}
		case errors.Is(err, zookeeper.ErrNoNode):
			if err = c.makeParents(ctx, c.dir); err == nil {
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

// makeParents creates what is missing above path, and nothing else: those further
// up may not be ours to write to.
func (c *candidate) makeParents(ctx context.Context, path string) error {
	parent, _ := split(path)
	for parent != "" {
		_, err := c.session.Create(ctx, parent, nil, zookeeper.Persistent)
		switch {
		case err == nil, errors.Is(err, zookeeper.ErrNodeExists):
			return nil
		case errors.Is(err, zookeeper.ErrNoAuth):
			return missing(parent, err)
		case !errors.Is(err, zookeeper.ErrNoNode):
			return err
		}
		if err := c.makeParents(ctx, parent); err != nil {
			return err
		}
	}
	return nil
}

// missing explains why a znode that is not there was not created.
func missing(path string, err error) error {
	return fmt.Errorf("%s does not exist, and this client may not create it: %w", path, err)
}

// find looks for our contender after a lost reply, waiting for the connection
// to return. It keeps the lowest if there are several, and removes the others.
func (c *candidate) find(ctx context.Context) (bool, error) {
	for {
		// Without the sync, a server that lags behind could hide a contender
		// which another server has created.
		err := c.session.Sync(ctx, c.dir)
		var listing zookeeper.Listing
		if err == nil {
			listing, err = c.session.Children(ctx, c.dir)
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
func (c *candidate) again(ctx context.Context, err error) bool { return again(ctx, c.session, err) }

func again(ctx context.Context, s *zookeeper.Session, err error) bool {
	return zookeeper.Disconnected(err) && ctx.Err() == nil && s.Err() == nil
}

// insist repeats a request that does no harm when it is carried out twice, for as
// long as broken connections are all that keeps it from an answer.
func insist[T any](ctx context.Context, s *zookeeper.Session, request func() (T, error)) (T, error) {
	for {
		value, err := request()
		if err == nil || !again(ctx, s, err) {
			return value, err
		}
	}
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
		err := c.session.Delete(ctx, c.dir+"/"+contender.Name)
		if err != nil && !errors.Is(err, zookeeper.ErrNoNode) {
			return false, err
		}
	}
	return c.node != "", nil
}

func nameOf(znode string) string {
	_, name := split(znode)
	return name
}
