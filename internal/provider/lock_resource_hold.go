// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/clocker/terraform-provider-clocker/internal/holder"
)

// release releases the lock in the state.
func (r *lockResource) release(ctx context.Context, state lockResourceModel, private privateReader, diags *diag.Diagnostics) {
	r.withLock(ctx, state, private, releasing, diags, func(req holder.Request, z holder.Znode) error {
		return r.client.release(ctx, req, z, diags)
	})
}

// take takes the lock for the model.
func (r *lockResource) take(ctx context.Context, m *lockResourceModel, private privateWriter, diags *diag.Diagnostics) {
	req, ok := r.requestNow(*m, diags)
	if !ok {
		return
	}
	grant, held := r.client.take(ctx, req, diags)
	if !held {
		m.setFree()
		return
	}
	m.setHeld(grant)
	diags.Append(setPrivate(ctx, private, privateRun, r.client.runtime.Run.ID)...)
	diags.Append(setPrivate(ctx, private, privateGrant, grant.ID)...)
	diags.Append(setPrivate(ctx, private, privatePlace, takenAt{req.Ensemble.Servers, grant.Znode, req.Lock.Durable})...)
}

// ours tells whether the lock in the state is ours to keep and to release. A durable lock
// belongs to this resource, any other to the run that took it.
func (r *lockResource) ours(ctx context.Context, private privateReader, state lockResourceModel, diags *diag.Diagnostics) bool {
	if state.durable() || !state.Held.ValueBool() {
		return state.Held.ValueBool()
	}
	var taker string
	diags.Append(getPrivate(ctx, private, privateRun, &taker)...)
	return taker != "" && taker == r.client.runtime.Run.ID
}

// withLock does something to the lock in the state.
func (r *lockResource) withLock(ctx context.Context, state lockResourceModel, private privateReader, what string, diags *diag.Diagnostics, do func(holder.Request, holder.Znode) error) {
	req, ok := r.requestNow(state, diags)
	if !ok {
		return
	}
	znode := holder.Znode{Ensemble: req.Ensemble, Path: state.Znode.ValueString(), Durable: req.Lock.Durable}
	diags.Append(getPrivate(ctx, private, privateGrant, &znode.Grant)...)
	err := r.elsewhere(ctx, private, state, req, diags)
	if err == nil {
		if !isOf(req, state.Znode, what, diags) {
			return
		}
		err = do(req, znode)
	}
	if err != nil {
		diags.Append(explain(what, req, err))
	}
}
