// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/clocker/terraform-provider-clocker/internal/holder"
)

var (
	_ resource.ResourceWithConfigure      = (*lockResource)(nil)
	_ resource.ResourceWithModifyPlan     = (*lockResource)(nil)
	_ resource.ResourceWithValidateConfig = (*lockResource)(nil)
	_ resource.ResourceWithImportState    = (*lockResource)(nil)
	_ resource.ResourceWithIdentity       = (*lockResource)(nil)
)

func newLockResource() resource.Resource { return &lockResource{} }

type lockResource struct{ client *client }

type lockResourceModel struct {
	lockModel
	heldModel
	HoldUntil types.String `tfsdk:"hold_until"`
}

func (m *lockResourceModel) durable() bool {
	return holdUntil(m.HoldUntil.ValueString()) == destroyed
}

// request turns the model into a request. ok is false with an error, or without one
// while a value is not known yet.
func (r *lockResource) request(m lockResourceModel, diags *diag.Diagnostics) (req holder.Request, ok bool) {
	req, ok = r.client.request(m.lockModel, diags)
	req.Optional, req.Lock.Durable = m.optional(), m.durable()
	return req, ok
}

// requestNow is request where a value that is not known yet is an error.
func (r *lockResource) requestNow(m lockResourceModel, diags *diag.Diagnostics) (req holder.Request, ok bool) {
	req, ok = r.client.requestNow(m.lockModel, diags)
	req.Optional, req.Lock.Durable = m.optional(), m.durable()
	return req, ok
}

// Metadata names the resource.
func (r *lockResource) Metadata(_ context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_lock"
}

// Schema describes the resource.
func (r *lockResource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	arguments := takeArguments()
	arguments["on_lost"] = argOnLost.says(fmt.Sprintf("A lock with `hold_until = %q` is not watched.", destroyed))
	arguments["max_hold"] = argMaxHold.says(fmt.Sprintf("Not with `hold_until = %q`.", destroyed))
	arguments["required"] = argRequired
	arguments["hold_until"] = argument{
		text:    fmt.Sprintf("When the lock is released: `%s`, the default, when the run that took it ends; `%s` when this resource is destroyed.", runEnds, destroyed),
		value:   string(defaultHoldUntil),
		strings: []validator.String{oneOf(holdUntils)},
	}
	attributes := attributes(arguments, resourceAttribute)
	lockID := attributes["lockid"].(schema.StringAttribute)
	lockID.PlanModifiers = []planmodifier.String{stringplanmodifier.RequiresReplace()}
	attributes["lockid"] = lockID
	attributes["held"] = schema.BoolAttribute{Computed: true, MarkdownDescription: heldText}
	attributes["znode"] = schema.StringAttribute{Computed: true, MarkdownDescription: znodeText}
	attributes["fencing_token"] = schema.Int64Attribute{Computed: true, MarkdownDescription: tokenText}
	resp.Schema = schema.Schema{
		MarkdownDescription: "Takes a lock. What depends on this resource is created, and changed in place, while the lock is held.\n\n" +
			fmt.Sprintf("With `hold_until = %q`, the default, the lock is held until the run that took it ends, in whatever way. "+
				"Each apply takes it again, so each plan shows an update `held: false -> true`. ", runEnds) +
			fmt.Sprintf("With `hold_until = %q` the lock outlives runs and machines, and is released when this resource is destroyed.", destroyed),
		Attributes: attributes,
	}
}

// Configure takes the provider's data.
func (r *lockResource) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	r.client = configured(req.ProviderData, &resp.Diagnostics)
}

// ValidateConfig refuses a limit on a lock that is not released when the run ends.
func (r *lockResource) ValidateConfig(ctx context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
	var config lockResourceModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	if !resp.Diagnostics.HasError() && config.durable() && !config.MaxHold.IsNull() {
		resp.Diagnostics.AddAttributeError(path.Root("max_hold"), "Limit On A Durable Lock",
			fmt.Sprintf("max_hold interrupts the run that holds the lock, but a lock with hold_until = %q is still held when its run has ended. Leave out max_hold, or set hold_until = %q.", destroyed, runEnds))
	}
}

// ModifyPlan plans to take the lock unless it is ours. It compares the run in the
// private state, and not what the last refresh saw, so that a plan without a refresh
// takes the lock too.
func (r *lockResource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if r.client == nil || req.Plan.Raw.IsNull() {
		return
	}
	var plan, state lockResourceModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	if !req.State.Raw.IsNull() {
		resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	}
	if resp.Diagnostics.HasError() {
		return
	}
	if _, ok := r.request(plan, &resp.Diagnostics); !ok && resp.Diagnostics.HasError() {
		return
	}
	switch {
	case req.State.Raw.IsNull():
		r.replacesItself(ctx, plan, req.Private, &resp.Diagnostics)
	case r.inAnotherEnsemble(plan, state):
		resp.RequiresReplace = append(resp.RequiresReplace, path.Root(settingZooKeeper.attribute))
	}
	if !plan.durable() {
		r.client.warnOfOnLost(plan.OnLost, &resp.Diagnostics)
	}
	switch {
	case r.ours(ctx, req.Private, state, &resp.Diagnostics) && !r.takesAgain(plan, state):
		plan.Held, plan.Znode, plan.FencingToken = state.Held, state.Znode, state.FencingToken
	case plan.Required.ValueBool():
		plan.Held, plan.Znode, plan.FencingToken = types.BoolValue(true), types.StringUnknown(), types.Int64Unknown()
	default:
		plan.Held, plan.Znode, plan.FencingToken = types.BoolUnknown(), types.StringUnknown(), types.Int64Unknown()
	}
	resp.Diagnostics.Append(resp.Plan.Set(ctx, &plan)...)
}

// Create takes the lock.
func (r *lockResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan lockResourceModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	if resp.Diagnostics.HasError() {
		return
	}
	r.take(ctx, &plan, resp.Private, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	r.identify(ctx, plan, resp.Identity, &resp.Diagnostics)
	resp.Diagnostics.Append(resp.State.Set(ctx, &plan)...)
}

// Read finds out whether the lock is still held. A lock that ends with its run can be
// held only by the run that took it, so any other run need not look. A durable lock
// that is gone has to be created again.
func (r *lockResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var state lockResourceModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.HasError() {
		return
	}
	r.identify(ctx, state, resp.Identity, &resp.Diagnostics)
	if r.ours(ctx, req.Private, state, &resp.Diagnostics) {
		lock, ok := r.requestNow(state, &resp.Diagnostics)
		if !ok {
			return
		}
		if err := r.elsewhere(ctx, req.Private, state, lock, &resp.Diagnostics); err != nil {
			resp.Diagnostics.Append(explain(reading, lock, err))
			return
		}
		if !isOf(lock, state.Znode, reading, &resp.Diagnostics) {
			return
		}
		held, err := r.client.holds(ctx, lock, state.Znode)
		if err != nil {
			resp.Diagnostics.Append(explain(reading, lock, err))
			return
		}
		if held {
			r.remember(ctx, req.Private, resp.Private, state, lock, &resp.Diagnostics)
			return
		}
		tflog.Warn(ctx, "lock lost", map[string]any{"lockid": lock.Lock.LockID, "znode": state.Znode.ValueString(), "cause": "its znode is gone"})
		if state.durable() {
			resp.Diagnostics.Append(setPrivate(ctx, resp.Private, privatePlace, takenAt{})...) // the new object does not replace this lock
			resp.State.RemoveResource(ctx)
			return
		}
	}
	state.setFree()
	resp.Diagnostics.Append(resp.State.Set(ctx, &state)...)
}

// Update takes the lock unless it is ours. A lock of ours that is to be held in another
// way is released first.
func (r *lockResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan, state lockResourceModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.HasError() {
		return
	}
	ours := r.ours(ctx, req.Private, state, &resp.Diagnostics)
	if ours && r.takesAgain(plan, state) {
		r.release(ctx, state, req.Private, &resp.Diagnostics)
		if resp.Diagnostics.HasError() {
			return
		}
		ours = false
		state.setFree() // in case it cannot be taken again
		resp.Diagnostics.Append(resp.State.Set(ctx, &state)...)
	}
	switch {
	case !ours:
		r.take(ctx, &plan, resp.Private, &resp.Diagnostics)
	case plan.durable() && !plan.Info.Equal(state.Info):
		r.withLock(ctx, state, req.Private, describing, &resp.Diagnostics, func(_ holder.Request, z holder.Znode) error {
			return r.client.runtime.Holder.Describe(ctx, z, plan.Info.ValueString())
		})
	}
	if resp.Diagnostics.HasError() {
		return
	}
	r.identify(ctx, plan, resp.Identity, &resp.Diagnostics)
	resp.Diagnostics.Append(resp.State.Set(ctx, &plan)...)
}

// Delete releases the lock if it is ours. A lock that another run took until it ends is
// not.
func (r *lockResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var state lockResourceModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.HasError() || !r.ours(ctx, req.Private, state, &resp.Diagnostics) {
		return
	}
	r.release(ctx, state, req.Private, &resp.Diagnostics)
}
