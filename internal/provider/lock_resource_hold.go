package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/clocker/terraform-provider-clocker/internal/holder"
)

// release lets the lock in the state go.
func (r *lockResource) release(ctx context.Context, state lockResourceModel, private privateReader, diags *diag.Diagnostics) {
	r.withLock(ctx, state, private, releasing, diags, func(t target, z holder.Znode) error {
		return r.client.release(ctx, t, z, diags)
	})
}

// take acquires the lock for the model.
func (r *lockResource) take(ctx context.Context, m *lockResourceModel, private privateWriter, diags *diag.Diagnostics) {
	t, ok := r.client.locate(m.place(), diags)
	if !ok {
		unknownZooKeeper(diags)
		return
	}
	grant, held := r.client.take(ctx, t, want{
		lockwait: m.Lockwait,
		required: m.Required,
		onLost:   m.OnLost,
		info:     m.Info,
		maxHold:  m.MaxHold,
		durable:  m.durable(),
	}, diags)
	if !held {
		m.setFree()
		return
	}
	m.setHeld(grant)
	diags.Append(setPrivate(ctx, private, privateRun, r.client.runtime.Run.ID)...)
	diags.Append(setPrivate(ctx, private, privateGrant, grant.ID)...)
	diags.Append(setPrivate(ctx, private, privatePlace, takenAt{t.ensemble.Servers, grant.Znode, m.durable()})...)
}

// ours tells whether the lock in the state is ours to keep and to release: a
// durable one is this resource's, any other is the run's that took it.
func (r *lockResource) ours(ctx context.Context, private privateReader, state lockResourceModel, diags *diag.Diagnostics) bool {
	if state.durable() || !state.Held.ValueBool() {
		return state.Held.ValueBool()
	}
	var taker string
	diags.Append(getPrivate(ctx, private, privateRun, &taker)...)
	return taker != "" && taker == r.client.runtime.Run.ID
}

// withLock does something to the lock in the state.
func (r *lockResource) withLock(ctx context.Context, state lockResourceModel, private privateReader, what string, diags *diag.Diagnostics, do func(target, holder.Znode) error) {
	t, ok := r.client.locate(state.place(), diags)
	if !ok {
		unknownZooKeeper(diags)
		return
	}
	t.durable = state.durable()
	znode := holder.Znode{Ensemble: t.ensemble, Path: state.Znode.ValueString(), Durable: t.durable}
	diags.Append(getPrivate(ctx, private, privateGrant, &znode.Grant)...)
	err := r.elsewhere(ctx, private, state, t, diags)
	if err == nil {
		if !t.has(state.Znode, what, diags) {
			return
		}
		err = do(t, znode)
	}
	if err != nil {
		diags.Append(explain(what, t, err))
	}
}
