package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/int64default"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/clocker/terraform-provider-clocker/internal/holder"
	"github.com/clocker/terraform-provider-clocker/internal/locker"
)

const (
	defaultLockwait = 0 // seconds
	maxLockwait     = 365 * 24 * 3600
	defaultRequired = true
)

// holdUntil is when a resource lets its lock go.
type holdUntil string

// runEnds is the cookbook's promise: the lock ends with the run that took it.
const runEnds holdUntil = "run_ends"

var (
	_ resource.ResourceWithConfigure  = (*lockResource)(nil)
	_ resource.ResourceWithModifyPlan = (*lockResource)(nil)
)

func newLockResource() resource.Resource { return &lockResource{} }

type lockResource struct{ client *client }

type lockResourceModel struct {
	LockID       types.String `tfsdk:"lockid"`
	Lockwait     types.Int64  `tfsdk:"lockwait"`
	ZooKeeper    types.String `tfsdk:"zookeeper"`
	HoldUntil    types.String `tfsdk:"hold_until"`
	Required     types.Bool   `tfsdk:"required"`
	Info         types.String `tfsdk:"info"`
	Held         types.Bool   `tfsdk:"held"`
	Znode        types.String `tfsdk:"znode"`
	FencingToken types.Int64  `tfsdk:"fencing_token"`
}

// release makes the model say that the lock is not held.
func (m *lockResourceModel) release() {
	m.Held, m.Znode, m.FencingToken = types.BoolValue(false), types.StringNull(), types.Int64Null()
}

// Metadata names the resource.
func (r *lockResource) Metadata(_ context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_lock"
}

// Schema describes the resource.
func (r *lockResource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	replace := []planmodifier.String{stringplanmodifier.RequiresReplace()}
	resp.Schema = schema.Schema{
		MarkdownDescription: "Takes a lock. Whatever depends on this resource is created and changed while the lock is held.\n\n" +
			"The lock ends with the run that took it, however that ends. Each apply takes it again, so each plan shows an update `held: false -> true`.",
		Attributes: map[string]schema.Attribute{
			"lockid": schema.StringAttribute{
				MarkdownDescription: "The lock's name. `/` becomes `__` in the znode's name, as in the Ruby `zk` gem.",
				Required:            true,
				PlanModifiers:       replace,
				Validators:          []validator.String{lockIDValidator{}},
			},
			"lockwait": schema.Int64Attribute{
				MarkdownDescription: fmt.Sprintf("Seconds to queue for the lock: 0 tries once, -1 waits without limit. Default %d.", defaultLockwait),
				Optional:            true,
				Computed:            true,
				Default:             int64default.StaticInt64(defaultLockwait),
				Validators:          []validator.Int64{int64validator.Between(-1, maxLockwait)},
			},
			"zookeeper": schema.StringAttribute{
				MarkdownDescription: "This lock's own connect string, in place of the provider's.",
				Optional:            true,
				PlanModifiers:       replace,
				Validators:          []validator.String{connectStringValidator{}},
			},
			"hold_until": schema.StringAttribute{
				MarkdownDescription: fmt.Sprintf("When the lock is let go: `%s`, the default, when the run that took it ends.", runEnds),
				Optional:            true,
				Computed:            true,
				Default:             stringdefault.StaticString(string(runEnds)),
				PlanModifiers:       replace,
				Validators:          []validator.String{stringvalidator.OneOf(string(runEnds))},
			},
			"required": schema.BoolAttribute{
				MarkdownDescription: fmt.Sprintf("Whether it is an error if someone else holds the lock when `lockwait` is over. `false` makes it a warning, and `held` is `false`: guard on that. Default `%t`.", defaultRequired),
				Optional:            true,
				Computed:            true,
				Default:             booldefault.StaticBool(defaultRequired),
			},
			"info": schema.StringAttribute{
				MarkdownDescription: "Free text, shown to whoever waits for the lock. Not for secrets: everyone who can read ZooKeeper can read it.",
				Optional:            true,
				Validators:          []validator.String{stringvalidator.LengthAtMost(locker.MaxInfo)},
			},
			"held":  schema.BoolAttribute{Computed: true, MarkdownDescription: "Whether this run holds the lock."},
			"znode": schema.StringAttribute{Computed: true, MarkdownDescription: "Absolute path of the lock's znode. Null while it is not held."},
			"fencing_token": schema.Int64Attribute{
				Computed: true,
				MarkdownDescription: "A number that grows with every hold of the lock. Give it to what is guarded, so that it can reject a writer that is late. " +
					"Null while the lock is not held.",
			},
		},
	}
}

// Configure takes the provider's data.
func (r *lockResource) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	r.client = configured(req.ProviderData, &resp.Diagnostics)
}

// ModifyPlan plans to take the lock unless this run has it. It goes by the run
// in the private state, not by what the last refresh saw, so that a plan without
// a refresh takes the lock too.
func (r *lockResource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if r.client == nil || req.Plan.Raw.IsNull() {
		return
	}
	var plan lockResourceModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	if resp.Diagnostics.HasError() {
		return
	}
	if _, ok := r.client.locate(plan.LockID, plan.ZooKeeper, &resp.Diagnostics); !ok && resp.Diagnostics.HasError() {
		return
	}
	plan.Held, plan.Znode, plan.FencingToken = types.BoolUnknown(), types.StringUnknown(), types.Int64Unknown()
	if plan.Required.ValueBool() {
		plan.Held = types.BoolValue(true)
	}
	if !req.State.Raw.IsNull() && len(resp.RequiresReplace) == 0 {
		var state lockResourceModel
		resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
		if r.ours(ctx, req.Private, state, &resp.Diagnostics) {
			plan.Held, plan.Znode, plan.FencingToken = state.Held, state.Znode, state.FencingToken
		}
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
	resp.Diagnostics.Append(resp.State.Set(ctx, &plan)...)
}

// Read finds out whether the lock is held by this run. Only the run that took it
// can hold it, so for any other there is nothing to look at.
func (r *lockResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var state lockResourceModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.HasError() {
		return
	}
	if r.ours(ctx, req.Private, state, &resp.Diagnostics) {
		t, ok := r.client.locate(state.LockID, state.ZooKeeper, &resp.Diagnostics)
		if !ok {
			return
		}
		queue, err := r.client.inspect(ctx, t)
		if err != nil {
			resp.Diagnostics.Append(explain("Reading", t, err))
			return
		}
		if slices.ContainsFunc(queue.Holders, func(e locker.Entry) bool {
			return e.Znode == state.Znode.ValueString() && e.Run == r.client.runtime.Run.ID
		}) {
			return
		}
	}
	state.release()
	resp.Diagnostics.Append(resp.State.Set(ctx, &state)...)
}

// Update takes the lock unless this run has it.
func (r *lockResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan, state lockResourceModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.HasError() {
		return
	}
	if !r.ours(ctx, req.Private, state, &resp.Diagnostics) {
		r.take(ctx, &plan, resp.Private, &resp.Diagnostics)
	}
	if resp.Diagnostics.HasError() {
		return
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, &plan)...)
}

// Delete releases the lock if this run has it. The lock of any other run ends
// with that run, and is not ours to touch.
func (r *lockResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var state lockResourceModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.HasError() || !r.ours(ctx, req.Private, state, &resp.Diagnostics) {
		return
	}
	t, ok := r.client.locate(state.LockID, state.ZooKeeper, &resp.Diagnostics)
	if !ok {
		return
	}
	if _, err := r.client.runtime.Holder.Release(ctx, holder.Znode{Ensemble: t.ensemble, Path: state.Znode.ValueString()}); err != nil {
		resp.Diagnostics.Append(explain("Releasing", t, err))
	}
}

// take acquires the lock for the model. Where it is not required, someone else's
// holding it is a warning.
func (r *lockResource) take(ctx context.Context, m *lockResourceModel, private privateState, diags *diag.Diagnostics) {
	t, ok := r.client.locate(m.LockID, m.ZooKeeper, diags)
	if !ok {
		return
	}
	grant, err := r.client.acquire(ctx, t, m.Lockwait.ValueInt64(), m.Info.ValueString())
	var busy *locker.BusyError
	switch {
	case err == nil:
		m.Held, m.Znode, m.FencingToken = types.BoolValue(true), types.StringValue(grant.Znode), types.Int64Value(grant.Token)
		diags.Append(setRun(ctx, private, r.client.runtime.Run.ID)...)
	case errors.As(err, &busy) && !m.Required.ValueBool():
		m.release()
		diags.AddWarning("Lock Not Held", busyDetail(busy)+"\n\nrequired is false, so the run goes on with held = false.")
	default:
		diags.Append(explain("Taking", t, err))
	}
}

// ours tells whether the lock was taken by this very run.
func (r *lockResource) ours(ctx context.Context, private privateReader, state lockResourceModel, diags *diag.Diagnostics) bool {
	taker, d := getRun(ctx, private)
	diags.Append(d...)
	return state.Held.ValueBool() && taker == r.client.runtime.Run.ID
}

// privateRun is the key of the run that took the lock.
const privateRun = "run"

type privateReader interface {
	GetKey(context.Context, string) ([]byte, diag.Diagnostics)
}

type privateState interface {
	SetKey(context.Context, string, []byte) diag.Diagnostics
}

func getRun(ctx context.Context, private privateReader) (string, diag.Diagnostics) {
	value, diags := private.GetKey(ctx, privateRun)
	var id string
	if len(value) > 0 {
		if err := json.Unmarshal(value, &id); err != nil {
			diags.AddError("Damaged Private State", fmt.Sprintf("The run that took the lock cannot be read: %v", err))
		}
	}
	return id, diags
}

func setRun(ctx context.Context, private privateState, id string) diag.Diagnostics {
	value, err := json.Marshal(id)
	if err != nil {
		return diag.Diagnostics{diag.NewErrorDiagnostic("Private State", err.Error())}
	}
	return private.SetKey(ctx, privateRun, value)
}
