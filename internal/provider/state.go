// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/clocker/terraform-provider-clocker/internal/holder"
	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// holds tells whether the lock at a znode of the state is held: for a durable lock by
// what the znode is, for any other by what this run was granted.
func (c *client) holds(ctx context.Context, req holder.Request, znode types.String) (bool, error) {
	entry, found, err := c.lookup(ctx, req, znode.ValueString())
	if err != nil || !found {
		return false, err
	}
	if req.Lock.Durable {
		return isDurable(entry), nil
	}
	own, err := c.runtime.Holder.Own(ctx, req.Lock.Dir)
	return slices.Contains(own, entry.Identity()), err
}

// isOf tells whether a znode of the state is one of the lock's contenders, and adds an
// error if not. So nobody can have another lock released by editing a state.
func isOf(req holder.Request, znode types.String, what string, diags *diag.Diagnostics) bool {
	name, ok := strings.CutPrefix(znode.ValueString(), req.Lock.Dir+"/")
	if _, contender := locker.ParseContender(name); ok && contender && !strings.Contains(name, "/") {
		return true
	}
	diags.AddAttributeError(path.Root("znode"), "Znode Of Another Lock",
		fmt.Sprintf("Could not %s lock %q: the state says that its znode is %s, which is not in the lock's directory, %s. Nothing was changed there.\n\n"+
			"If lock_root of the provider or the chroot in zookeeper was changed since the lock was taken, set it back, destroy the lock, and then change it. "+
			"Otherwise somebody edited the state: find the holder with the data source, and delete its znode or import it.", what, req.Lock.LockID, zookeeper.Shown(znode.ValueString()), zookeeper.Shown(req.Lock.Dir)))
	return false
}
