// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/identityschema"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/clocker/terraform-provider-clocker/internal/holder"
	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// lockIdentity names a lock among all: its id and the ensemble.
type lockIdentity struct {
	LockID    types.String `tfsdk:"lockid"`
	ZooKeeper types.String `tfsdk:"zookeeper"`
}

// IdentitySchema describes the resource's identity.
func (r *lockResource) IdentitySchema(_ context.Context, _ resource.IdentitySchemaRequest, resp *resource.IdentitySchemaResponse) {
	resp.IdentitySchema = identityschema.Schema{Attributes: map[string]identityschema.Attribute{
		"lockid":    identityschema.StringAttribute{RequiredForImport: true, Description: "The lock's name."},
		"zookeeper": identityschema.StringAttribute{OptionalForImport: true, Description: "Connect string of the ensemble. The provider's if left out."},
	}}
}

// identify sets the resource's identity if it has none yet. After that it stays, even if the
// provider's connect string names other servers of the same ensemble later.
func (r *lockResource) identify(ctx context.Context, m lockResourceModel, identity *tfsdk.ResourceIdentity, diags *diag.Diagnostics) {
	if identity == nil || !identity.Raw.IsFullyNull() {
		return
	}
	servers := m.ZooKeeper
	if servers.IsNull() {
		servers = r.client.settings.zookeeper
	}
	if servers.IsUnknown() {
		servers = types.StringNull()
	}
	diags.Append(identity.Set(ctx, lockIdentity{m.LockID, servers})...)
}

// imported is the model of a durable lock with the default of each argument.
func imported(lockID string) lockResourceModel {
	return lockResourceModel{
		lockModel: lockModel{LockID: types.StringValue(lockID), Lockwait: types.Int64Value(defaultLockwait), OnLost: types.StringValue(string(defaultLoss))},
		heldModel: heldModel{Required: types.BoolValue(defaultRequired)},
		HoldUntil: types.StringValue(string(destroyed)),
	}
}

// ImportState adopts the present holder of a lock if it is a durable one.
func (r *lockResource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	m := imported(req.ID)
	if req.ID == "" && req.Identity != nil {
		var identity lockIdentity
		resp.Diagnostics.Append(req.Identity.Get(ctx, &identity)...)
		m.LockID = identity.LockID
		if !identity.ZooKeeper.IsNull() && !identity.ZooKeeper.Equal(r.client.settings.zookeeper) {
			m.ZooKeeper = identity.ZooKeeper
		}
	}
	if err := locker.ValidateLockID(m.LockID.ValueString()); err != nil {
		resp.Diagnostics.AddAttributeError(path.Root("lockid"), "Invalid Lock ID",
			fmt.Sprintf("%s cannot name a lock: %v. Import a durable lock by its lockid.", zookeeper.Quote(m.LockID.ValueString()), err))
		return
	}
	lock, queue, ok := r.find(ctx, m, &resp.Diagnostics)
	if !ok {
		return
	}
	if len(queue.Holders) != 1 || !isDurable(queue.Holders[0]) {
		resp.Diagnostics.AddError("No Durable Lock To Import", notDurable(lock, queue))
		return
	}
	entry := queue.Holders[0]
	m.setHeld(holder.Grant{Znode: entry.Znode, Token: entry.FencingToken()})
	m.Info = said(entry.Data.Info)
	r.describe(&m, entry)
	r.identify(ctx, m, resp.Identity, &resp.Diagnostics)
	resp.Diagnostics.Append(setPrivate(ctx, resp.Private, privatePlace, takenAt{lock.Ensemble.Servers, entry.Znode, true})...)
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}

// find reads the queue of the lock or, if nobody holds that, of the semaphore of the same
// name, which has a directory of its own.
func (r *lockResource) find(ctx context.Context, m lockResourceModel, diags *diag.Diagnostics) (req holder.Request, queue locker.Queue, ok bool) {
	look := func(slots types.Int64) (req holder.Request, queue locker.Queue, ok bool) {
		if req, ok = r.client.requestNow(lookModel(m.LockID, m.ZooKeeper, slots), diags); !ok {
			return req, queue, false
		}
		queue, err := r.client.inspect(ctx, req)
		if err != nil {
			diags.Append(explain(importing, req, err))
		}
		return req, queue, err == nil
	}
	req, queue, ok = look(types.Int64Null())
	if !ok || len(queue.Holders) > 0 {
		return req, queue, ok
	}
	if other, semaphore, ok := look(types.Int64Value(1)); !ok || len(semaphore.Holders) > 0 {
		return other, semaphore, ok
	}
	return req, queue, true
}

// describe makes the model say how the holder took the lock, so that the next plan
// changes nothing.
func (r *lockResource) describe(m *lockResourceModel, holder locker.Entry) {
	switch holder.Contender.Mode {
	case locker.Shared:
		m.Mode = types.StringValue(string(locker.Shared))
	case locker.Semaphore:
		m.Slots = types.Int64Value(int64(holder.Contender.Slots))
	}
	if layout := string(holder.Contender.Layout()); layout != orElse(r.client.settings.layout, string(defaultLayout)) {
		m.Layout = types.StringValue(layout)
	}
}

func notDurable(req holder.Request, queue locker.Queue) string {
	if len(queue.Holders) == 0 {
		return fmt.Sprintf("Nobody holds lock %q (%s). Create the resource instead of importing it.", req.Lock.LockID, req.Lock.Dir)
	}
	var holders []string
	for i, h := range queue.Holders {
		if i == zookeeper.MaxNamed {
			holders = append(holders, fmt.Sprintf("  - and %d more", len(queue.Holders)-i))
			break
		}
		holders = append(holders, "  - "+h.String())
	}
	return fmt.Sprintf("Only a single durable lock of this provider can be imported, but lock %q is held by:\n%s\n\n"+
		"A lock that ends with its run or session cannot be taken over. Create the resource, with a lockwait, once the lock is free.", req.Lock.LockID, strings.Join(holders, "\n"))
}
