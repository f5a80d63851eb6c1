// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// alone returns the client with sessions of its own, which closeSessions ends.
func (c *Client) alone() (own *client, closeSessions func()) {
	pool := &zookeeper.Pool{}
	own = &client{runtime: c.runtime, version: c.version, settings: c.settings}
	own.runtime.Sessions = pool
	return own, pool.Close
}

// Locks lists the locks whose names begin with prefix, as the data source clocker_locks
// does. servers, if not empty, is the connect string instead of the environment's.
func (c *Client) Locks(ctx context.Context, servers, prefix string) ([]locker.Listed, error) {
	own, closeSessions := c.alone()
	defer closeSessions()
	var diags diag.Diagnostics
	_, locks, _ := own.listNow(ctx, listModel{said(prefix), said(servers)}, &diags)
	return locks, c.problems(diags)
}

// FollowLocks shows what Locks lists, now and after each change, until ctx ends: see
// [locker.Follow].
func (c *Client) FollowLocks(ctx context.Context, servers, prefix string, show func([]locker.Listed)) error {
	var diags diag.Diagnostics
	roots, _ := c.roots(said(servers), &diags)
	if err := c.problems(diags); err != nil {
		return err
	}
	own, closeSessions := c.alone()
	defer closeSessions()
	sessions := func(ctx context.Context) (*zookeeper.Session, error) {
		return own.runtime.Sessions.Session(ctx, roots.ensemble)
	}
	err := locker.Follow(ctx, sessions, roots.paths, prefix, show)
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
