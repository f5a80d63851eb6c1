package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// alone is the client with sessions of its own, which closeSessions ends.
func (c *Client) alone() (own *client, closeSessions func()) {
	pool := &zookeeper.Pool{}
	own = &client{runtime: c.runtime, version: c.version, settings: c.settings}
	own.runtime.Sessions = pool
	return own, pool.Close
}

// rootsOf finds out where to list locks; servers, if not empty, goes before the
// environment.
func (c *Client) rootsOf(servers string) (lockRoots, error) {
	var diags diag.Diagnostics
	r, _ := c.roots(said(servers), &diags)
	return r, c.problems(diags)
}

// Locks looks at all locks whose names begin with prefix, as the data source clocker_locks
// does. servers, if not empty, is the connect string in place of the environment's.
func (c *Client) Locks(ctx context.Context, servers, prefix string) ([]locker.Listed, error) {
	roots, err := c.rootsOf(servers)
	if err != nil {
		return nil, err
	}
	own, closeSessions := c.alone()
	defer closeSessions()
	locks, err := own.list(ctx, roots, prefix)
	if err != nil {
		return nil, c.problems(diag.Diagnostics{explainList(roots, err)})
	}
	return locks, nil
}

// FollowLocks is Locks at first and after each change, until ctx ends: see
// [locker.Follow].
func (c *Client) FollowLocks(ctx context.Context, servers, prefix string, show func([]locker.Listed)) error {
	roots, err := c.rootsOf(servers)
	if err != nil {
		return err
	}
	own, closeSessions := c.alone()
	defer closeSessions()
	sessions := func(ctx context.Context) (*zookeeper.Session, error) {
		return own.runtime.Sessions.Session(ctx, roots.ensemble)
	}
	err = locker.Follow(ctx, sessions, roots.paths, prefix, show)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return c.problems(diag.Diagnostics{explainList(roots, err)})
}

// Break removes a holder, as the action clocker_break does.
func (c *Client) Break(ctx context.Context, servers, lockID, znode, reason string) (locker.Broken, error) {
	m := breakActionModel{LockID: said(lockID), Znode: said(znode), Reason: said(reason), ZooKeeper: said(servers)}
	var diags diag.Diagnostics
	m.validate(ctx, &diags)
	if err := c.problems(diags); err != nil {
		return locker.Broken{}, err
	}
	own, closeSessions := c.alone()
	defer closeSessions()
	broken, diags := own.breakLock(ctx, m)
	return broken, c.problems(diags)
}
