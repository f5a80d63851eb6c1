package provider

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// holds tells whether the lock in the state is held: a durable one by its znode, any other
// by what this run was granted.
func (c *client) holds(ctx context.Context, t target, state lockResourceModel) (bool, error) {
	entry, found, err := c.lookup(ctx, t, state.Znode.ValueString())
	if err != nil || !found {
		return false, err
	}
	if state.durable() {
		return isDurable(entry), nil
	}
	own, err := c.runtime.Holder.Own(ctx, t.dir)
	return slices.Contains(own, entry.Identity()), err
}

// has tells whether a znode of the state's is one of the lock's own, and adds an error if
// not: who edits a state has no other lock released by it.
func (t target) has(znode types.String, what string, diags *diag.Diagnostics) bool {
	name, ok := strings.CutPrefix(znode.ValueString(), t.dir+"/")
	if _, contender := locker.ParseContender(name); ok && contender && !strings.Contains(name, "/") {
		return true
	}
	diags.AddAttributeError(path.Root("znode"), "Znode Of Another Lock",
		fmt.Sprintf("%s of lock %q failed: the state says that its znode is %s, which is not in the lock's directory, %s. Nothing was touched there.\n\n"+
			"If lock_root of the provider or the chroot in zookeeper was changed since the lock was taken, set it back, destroy the lock, and then change it. "+
			"Else the state was edited: find the holder with the data source, and delete its znode or import it.", what, t.lockID, zookeeper.Shown(znode.ValueString()), zookeeper.Shown(t.dir)))
	return false
}
