package provider

import (
	"context"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/action"
	"github.com/hashicorp/terraform-plugin-framework/action/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/clocker/terraform-provider-clocker/internal/holder"
	"github.com/clocker/terraform-provider-clocker/internal/locker"
)

var _ action.ActionWithConfigure = (*lockAction)(nil)

func newLockAction() action.Action { return &lockAction{} }

type lockAction struct{ client *client }

type lockActionModel struct {
	LockID    types.String `tfsdk:"lockid"`
	Lockwait  types.Int64  `tfsdk:"lockwait"`
	ZooKeeper types.String `tfsdk:"zookeeper"`
	Mode      types.String `tfsdk:"mode"`
	Slots     types.Int64  `tfsdk:"slots"`
	Layout    types.String `tfsdk:"layout"`
	OnLost    types.String `tfsdk:"on_lost"`
	MaxHold   types.Int64  `tfsdk:"max_hold"`
	Info      types.String `tfsdk:"info"`
}

func (m *lockActionModel) place() place {
	return place{m.LockID, m.ZooKeeper, m.Mode, m.Slots, m.Layout}
}

// Metadata names the action.
func (a *lockAction) Metadata(_ context.Context, req action.MetadataRequest, resp *action.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_lock"
}

// Schema describes the action.
func (a *lockAction) Schema(_ context.Context, _ action.SchemaRequest, resp *action.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Takes a lock before the instances that trigger it change, and holds it until the run ends. A run that changes none of them takes no lock, and nothing is kept in the state. " +
			"Needs Terraform 1.14; the events before and after a destroy need 1.16.\n\n" +
			"All instances that trigger it share one lock: the first one takes it, and the others go on as soon as it is held.",
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
		},
	}
}

// Configure takes the provider's data.
func (a *lockAction) Configure(_ context.Context, req action.ConfigureRequest, resp *action.ConfigureResponse) {
	a.client = configured(req.ProviderData, &resp.Diagnostics)
}

// Invoke takes the lock, or joins those who have it in this run. Nothing releases it but
// the end of the run: what triggered the action is changed after it.
func (a *lockAction) Invoke(ctx context.Context, req action.InvokeRequest, resp *action.InvokeResponse) {
	var m lockActionModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	t, ok := a.client.locate(m.place(), &resp.Diagnostics)
	if !ok {
		unknownZooKeeper(&resp.Diagnostics)
		return
	}
	a.client.warnOfOnLost(m.OnLost, &resp.Diagnostics)
	a.client.take(ctx, t, want{lockwait: m.Lockwait, onLost: m.OnLost, info: m.Info, maxHold: m.MaxHold, waiting: func(w locker.Waiting) {
		resp.SendProgress(action.InvokeProgressEvent{Message: holder.Progress(t.lockID, w, time.Now())})
	}}, &resp.Diagnostics)
}
