package provider

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/int64default"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
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
	LockID       types.String `tfsdk:"lockid"`
	Lockwait     types.Int64  `tfsdk:"lockwait"`
	ZooKeeper    types.String `tfsdk:"zookeeper"`
	Mode         types.String `tfsdk:"mode"`
	Slots        types.Int64  `tfsdk:"slots"`
	Layout       types.String `tfsdk:"layout"`
	HoldUntil    types.String `tfsdk:"hold_until"`
	Required     types.Bool   `tfsdk:"required"`
	OnLost       types.String `tfsdk:"on_lost"`
	MaxHold      types.Int64  `tfsdk:"max_hold"`
	Info         types.String `tfsdk:"info"`
	Held         types.Bool   `tfsdk:"held"`
	Znode        types.String `tfsdk:"znode"`
	FencingToken types.Int64  `tfsdk:"fencing_token"`
}

func (m *lockResourceModel) durable() bool {
	return holdUntil(m.HoldUntil.ValueString()) == destroyed
}

func (m *lockResourceModel) place() place {
	return place{m.LockID, m.ZooKeeper, m.Mode, m.Slots, m.Layout}
}

// setHeld and setFree make the model say whether the lock is held.
func (m *lockResourceModel) setHeld(grant holder.Grant) {
	m.Held, m.Znode, m.FencingToken = types.BoolValue(true), types.StringValue(grant.Znode), types.Int64Value(grant.Token)
}

func (m *lockResourceModel) setFree() {
	m.Held, m.Znode, m.FencingToken = types.BoolValue(false), types.StringNull(), types.Int64Null()
}

// Metadata names the resource.
func (r *lockResource) Metadata(_ context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_lock"
}

// Schema describes the resource.
func (r *lockResource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Takes a lock. Whatever depends on this resource is created, and changed in place, while the lock is held.\n\n" +
			fmt.Sprintf("With `hold_until = %q`, the default, the lock ends with the run that took it, however that ends. "+
				"Each apply takes it again, so each plan shows an update `held: false -> true`. ", runEnds) +
			fmt.Sprintf("With `hold_until = %q` the lock outlives runs and machines, and is let go when this resource is destroyed.", destroyed),
		Attributes: map[string]schema.Attribute{
			"lockid": schema.StringAttribute{
				MarkdownDescription: lockIDText,
				Required:            true,
				PlanModifiers:       []planmodifier.String{stringplanmodifier.RequiresReplace()},
				Validators:          lockIDValidators(),
			},
			"lockwait": schema.Int64Attribute{
				CustomType:          wholeNumber{},
				MarkdownDescription: lockwaitText,
				Optional:            true,
				Computed:            true,
				Default:             int64default.StaticInt64(defaultLockwait),
				Validators:          lockwaitValidators(),
			},
			"zookeeper": schema.StringAttribute{
				MarkdownDescription: zookeeperText,
				Optional:            true,
				Validators:          connectStringValidators(),
			},
			"mode": schema.StringAttribute{
				MarkdownDescription: modeText,
				Optional:            true,
				Validators:          modeValidators(),
			},
			"slots": schema.Int64Attribute{
				CustomType:          wholeNumber{},
				MarkdownDescription: slotsText,
				Optional:            true,
				Validators:          slotsValidators(),
			},
			"layout": schema.StringAttribute{
				MarkdownDescription: layoutText + " Default: the provider's.",
				Optional:            true,
				Validators:          oneOf(layouts),
			},
			"hold_until": schema.StringAttribute{
				MarkdownDescription: fmt.Sprintf("When the lock is let go: `%s`, the default, when the run that took it ends; `%s` when this resource is destroyed.", runEnds, destroyed),
				Optional:            true,
				Computed:            true,
				Default:             stringdefault.StaticString(string(defaultHoldUntil)),
				Validators:          oneOf(holdUntils),
			},
			"required": schema.BoolAttribute{
				MarkdownDescription: requiredText,
				Optional:            true,
				Computed:            true,
				Default:             booldefault.StaticBool(defaultRequired),
			},
			"on_lost": schema.StringAttribute{
				MarkdownDescription: onLostText + fmt.Sprintf(" A lock with `hold_until = %q` is not watched.", destroyed),
				Optional:            true,
				Computed:            true,
				Default:             stringdefault.StaticString(string(defaultLoss)),
				Validators:          oneOf(onLosts),
			},
			"max_hold": schema.Int64Attribute{
				CustomType:          wholeNumber{},
				MarkdownDescription: maxHoldText + fmt.Sprintf(" Not with `hold_until = %q`.", destroyed),
				Optional:            true,
				Validators:          maxHoldValidators(),
			},
			"info": schema.StringAttribute{
				MarkdownDescription: infoText,
				Optional:            true,
				Validators:          infoValidators(),
			},
			"held":          schema.BoolAttribute{Computed: true, MarkdownDescription: heldText},
			"znode":         schema.StringAttribute{Computed: true, MarkdownDescription: znodeText},
			"fencing_token": schema.Int64Attribute{Computed: true, MarkdownDescription: tokenText},
		},
	}
}

// Configure takes the provider's data.
func (r *lockResource) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	r.client = configured(req.ProviderData, &resp.Diagnostics)
}

// ValidateConfig refuses a limit on a lock that is not let go when the run ends.
func (r *lockResource) ValidateConfig(ctx context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
	var config lockResourceModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	if !resp.Diagnostics.HasError() && config.durable() && !config.MaxHold.IsNull() {
		resp.Diagnostics.AddAttributeError(path.Root("max_hold"), "Limit On A Durable Lock",
			fmt.Sprintf("max_hold interrupts the run that holds the lock, but a lock with hold_until = %q is held when its run has ended. Leave out max_hold, or set hold_until = %q.", destroyed, runEnds))
	}
}

// ModifyPlan plans to take the lock unless it is ours. It goes by the run in the
// private state, not by what the last refresh saw, so that a plan without a
// refresh takes the lock too.
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
	if _, ok := r.client.locate(plan.place(), &resp.Diagnostics); !ok && resp.Diagnostics.HasError() {
		return
	}
	switch {
	case req.State.Raw.IsNull():
		r.replacesItself(ctx, plan, req.Private, &resp.Diagnostics)
	case r.isElsewhere(plan, state):
		resp.RequiresReplace = append(resp.RequiresReplace, path.Root(settingZooKeeper.attribute))
	}
	if !plan.durable() {
		r.client.warnOfOnLost(plan.OnLost, &resp.Diagnostics)
	}
	switch {
	case r.ours(ctx, req.Private, state, &resp.Diagnostics) && !r.movesOn(plan, state):
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

// Read finds out whether the lock is still held. One that lasts to the end of a
// run can be held by the run that took it only, so for any other there is
// nothing to look at. A durable one that is gone has to be created again.
func (r *lockResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var state lockResourceModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.HasError() {
		return
	}
	r.identify(ctx, state, resp.Identity, &resp.Diagnostics)
	if r.ours(ctx, req.Private, state, &resp.Diagnostics) {
		t, ok := r.client.locate(state.place(), &resp.Diagnostics)
		if !ok {
			unknownZooKeeper(&resp.Diagnostics)
			return
		}
		t.durable = state.durable()
		if err := r.elsewhere(ctx, req.Private, state, t, &resp.Diagnostics); err != nil {
			resp.Diagnostics.Append(explain(reading, t, err))
			return
		}
		if !t.has(state.Znode, reading, &resp.Diagnostics) {
			return
		}
		held, err := r.client.holds(ctx, t, state)
		if err != nil {
			resp.Diagnostics.Append(explain(reading, t, err))
			return
		}
		if held {
			r.remember(ctx, req.Private, resp.Private, state, t, &resp.Diagnostics)
			return
		}
		tflog.Warn(ctx, "lock lost", map[string]any{"lockid": t.lockID, "znode": state.Znode.ValueString(), "cause": "its znode is gone"})
		if state.durable() {
			resp.Diagnostics.Append(setPrivate(ctx, resp.Private, privatePlace, takenAt{})...) // a new one does not replace it
			resp.State.RemoveResource(ctx)
			return
		}
	}
	state.setFree()
	resp.Diagnostics.Append(resp.State.Set(ctx, &state)...)
}

// Update takes the lock unless it is ours. If it is, and is to be another one, it is
// released first.
func (r *lockResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan, state lockResourceModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.HasError() {
		return
	}
	ours := r.ours(ctx, req.Private, state, &resp.Diagnostics)
	if ours && r.movesOn(plan, state) {
		r.release(ctx, state, req.Private, &resp.Diagnostics)
		if resp.Diagnostics.HasError() {
			return
		}
		ours = false
		state.setFree() // should it not be had again
		resp.Diagnostics.Append(resp.State.Set(ctx, &state)...)
	}
	switch {
	case !ours:
		r.take(ctx, &plan, resp.Private, &resp.Diagnostics)
	case plan.durable() && !plan.Info.Equal(state.Info):
		r.withLock(ctx, state, req.Private, describing, &resp.Diagnostics, func(_ target, z holder.Znode) error {
			return r.client.runtime.Holder.Describe(ctx, z, plan.Info.ValueString())
		})
	}
	if resp.Diagnostics.HasError() {
		return
	}
	r.identify(ctx, plan, resp.Identity, &resp.Diagnostics)
	resp.Diagnostics.Append(resp.State.Set(ctx, &plan)...)
}

// Delete releases the lock if it is ours. One that another run took, to last to
// that run's end, is not ours to touch.
func (r *lockResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var state lockResourceModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.HasError() || !r.ours(ctx, req.Private, state, &resp.Diagnostics) {
		return
	}
	r.release(ctx, state, req.Private, &resp.Diagnostics)
}
