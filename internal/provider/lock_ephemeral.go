package provider

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/clocker/terraform-provider-clocker/internal/holder"
)

var (
	_ ephemeral.EphemeralResourceWithConfigure = (*lockEphemeral)(nil)
	_ ephemeral.EphemeralResourceWithClose     = (*lockEphemeral)(nil)
)

func newLockEphemeral() ephemeral.EphemeralResource { return &lockEphemeral{} }

type lockEphemeral struct{ client *client }

type lockEphemeralModel struct {
	LockID       types.String `tfsdk:"lockid"`
	Lockwait     types.Int64  `tfsdk:"lockwait"`
	ZooKeeper    types.String `tfsdk:"zookeeper"`
	Mode         types.String `tfsdk:"mode"`
	Slots        types.Int64  `tfsdk:"slots"`
	Layout       types.String `tfsdk:"layout"`
	Hold         types.Bool   `tfsdk:"hold"`
	Required     types.Bool   `tfsdk:"required"`
	OnLost       types.String `tfsdk:"on_lost"`
	MaxHold      types.Int64  `tfsdk:"max_hold"`
	Info         types.String `tfsdk:"info"`
	Held         types.Bool   `tfsdk:"held"`
	Znode        types.String `tfsdk:"znode"`
	FencingToken types.Int64  `tfsdk:"fencing_token"`
}

func (m *lockEphemeralModel) place() place {
	return place{m.LockID, m.ZooKeeper, m.Mode, m.Slots, m.Layout}
}

// openLock is what Close needs to know of a lock. The rest of how to reach it is
// the provider's configuration.
type openLock struct {
	LockID  string
	Servers []string
	Znode   string
	Grant   string
}

// Metadata names the ephemeral resource.
func (e *lockEphemeral) Metadata(_ context.Context, req ephemeral.MetadataRequest, resp *ephemeral.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_lock"
}

// Schema describes the ephemeral resource.
func (e *lockEphemeral) Schema(_ context.Context, _ ephemeral.SchemaRequest, resp *ephemeral.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Holds a lock from the moment it is opened until everything in this run that depends on it is created, or changed in place. It is not kept in the state and never shows in a plan.\n\n" +
			"Terraform opens ephemeral blocks while it plans too. With `hold = terraform.applying` the lock is taken only to apply. " +
			"`terraform.applying` is `false` in a `terraform destroy`, in which Terraform opens an ephemeral block only if a provider configuration refers to it.",
		Attributes: map[string]schema.Attribute{
			"lockid": schema.StringAttribute{
				MarkdownDescription: lockIDText,
				Required:            true,
				Validators:          lockIDValidators(),
			},
			"lockwait": schema.Int64Attribute{
				CustomType:          wholeNumber{},
				MarkdownDescription: lockwaitText,
				Optional:            true,
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
			"hold": schema.BoolAttribute{
				MarkdownDescription: "`false` does not take the lock now: `held` is `false`. Meant for `hold = terraform.applying`. Default `true`.",
				Optional:            true,
			},
			"required": schema.BoolAttribute{
				MarkdownDescription: requiredText,
				Optional:            true,
			},
			"on_lost": schema.StringAttribute{
				MarkdownDescription: onLostText,
				Optional:            true,
				Validators:          oneOf(onLosts),
			},
			"max_hold": schema.Int64Attribute{
				CustomType:          wholeNumber{},
				MarkdownDescription: maxHoldText,
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
func (e *lockEphemeral) Configure(_ context.Context, req ephemeral.ConfigureRequest, resp *ephemeral.ConfigureResponse) {
	e.client = configured(req.ProviderData, &resp.Diagnostics)
}

// Open takes the lock. It asks for no renewal: Terraform goes on after one that
// failed, and prints two lines for each.
func (e *lockEphemeral) Open(ctx context.Context, req ephemeral.OpenRequest, resp *ephemeral.OpenResponse) {
	var m lockEphemeralModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	t, ok := e.client.locate(m.place(), &resp.Diagnostics)
	if !ok {
		unknownZooKeeper(&resp.Diagnostics)
		return
	}
	e.client.warnOfOnLost(m.OnLost, &resp.Diagnostics)
	m.Held = types.BoolValue(false)
	if m.Hold.IsNull() || m.Hold.ValueBool() {
		grant, held := e.client.take(ctx, t, want{lockwait: m.Lockwait, required: m.Required, onLost: m.OnLost, info: m.Info, maxHold: m.MaxHold}, &resp.Diagnostics)
		if resp.Diagnostics.HasError() {
			return
		}
		if held {
			m.Held, m.Znode, m.FencingToken = types.BoolValue(true), types.StringValue(grant.Znode), types.Int64Value(grant.Token)
			resp.Diagnostics.Append(setPrivate(ctx, resp.Private, privateLock, openLock{t.lockID, t.ensemble.Servers, grant.Znode, grant.ID})...)
		}
	}
	resp.Diagnostics.Append(resp.Result.Set(ctx, &m)...)
}

// Close releases the lock, and reports it if it was lost. It is not called after
// an interrupt; then the holder lets go when the run ends.
func (e *lockEphemeral) Close(ctx context.Context, req ephemeral.CloseRequest, resp *ephemeral.CloseResponse) {
	var open openLock
	resp.Diagnostics.Append(getPrivate(ctx, req.Private, privateLock, &open)...)
	if resp.Diagnostics.HasError() || open.Znode == "" {
		return
	}
	t := target{ensemble: e.client.ensemble(open.Servers), lockID: open.LockID, dir: open.Znode}
	if err := e.client.release(ctx, t, holder.Znode{Ensemble: t.ensemble, Path: open.Znode, Grant: open.Grant}, &resp.Diagnostics); err != nil {
		resp.Diagnostics.Append(explain(releasing, t, fmt.Errorf("close: %w", err)))
	}
}
