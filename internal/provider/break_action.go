// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/action"
	"github.com/hashicorp/terraform-plugin-framework/action/schema"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/clocker/terraform-provider-clocker/internal/holder"
	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

var _ action.ActionWithConfigure = (*breakAction)(nil)

func newBreakAction() action.Action { return &breakAction{} }

type breakAction struct{ client *client }

type breakActionModel struct {
	LockID    types.String `tfsdk:"lockid"`
	Znode     types.String `tfsdk:"znode"`
	Reason    types.String `tfsdk:"reason"`
	ZooKeeper types.String `tfsdk:"zookeeper"`
}

var (
	argZnode = argument{
		text:     "Absolute path of the holder's znode, as the data sources, the error of a run that waits, and `terraform-provider-clocker locks` show it.",
		required: true,
		strings:  []validator.String{znodePath},
	}
	argReason = argument{
		text:     "Why. The run that loses the lock shows it, and the logs keep it.",
		required: true,
		strings:  []validator.String{stringvalidator.LengthBetween(1, locker.MaxReason)},
	}
)

// validate checks what Terraform would check.
func (m breakActionModel) validate(ctx context.Context, diags *diag.Diagnostics) {
	given := func(s types.String) types.String { return types.StringValue(s.ValueString()) }
	diags.Append(argLockID.checkString(ctx, "lockid", given(m.LockID))...)
	diags.Append(argZnode.checkString(ctx, "znode", given(m.Znode))...)
	diags.Append(argReason.checkString(ctx, "reason", given(m.Reason))...)
}

// Metadata names the action.
func (a *breakAction) Metadata(_ context.Context, req action.MetadataRequest, resp *action.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_break"
}

// Schema describes the action.
func (a *breakAction) Schema(_ context.Context, _ action.SchemaRequest, resp *action.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Takes a lock away from a holder that is stuck: `terraform apply -invoke=action.clocker_break.NAME`. Needs Terraform 1.14.\n\n" +
			"It frees the lock whatever its holder is doing. A run that is alive is told who did it and why, and is interrupted as its `on_lost` says. Until then two runs may work at once. " +
			"It removes exactly the holder that you name, and nothing if that no longer holds the lock.",
		Attributes: attributes(map[string]argument{"lockid": argLockID, "znode": argZnode, "reason": argReason, "zookeeper": argZooKeeper}, actionAttribute),
	}
}

// Configure takes the provider's data.
func (a *breakAction) Configure(_ context.Context, req action.ConfigureRequest, resp *action.ConfigureResponse) {
	a.client = configured(req.ProviderData, &resp.Diagnostics)
}

// Invoke removes the holder.
func (a *breakAction) Invoke(ctx context.Context, req action.InvokeRequest, resp *action.InvokeResponse) {
	var m breakActionModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	broken, diags := a.client.breakLock(ctx, m)
	resp.Diagnostics.Append(diags...)
	if !diags.HasError() {
		resp.SendProgress(action.InvokeProgressEvent{Message: broken.String()})
	}
}

// breakLock removes the holder.
func (c *client) breakLock(ctx context.Context, m breakActionModel) (broken locker.Broken, diags diag.Diagnostics) {
	lock, ok := c.requestNow(lookModel(m.LockID, m.ZooKeeper, types.Int64Null()), &diags)
	if !ok {
		return broken, diags
	}
	semaphore, ok := c.requestNow(lookModel(m.LockID, m.ZooKeeper, types.Int64Value(1)), &diags) // of the same name, in a directory of its own
	if !ok {
		return broken, diags
	}
	req := locker.Breaking{
		Dirs:   []string{lock.Lock.Dir, semaphore.Lock.Dir},
		Znode:  m.Znode.ValueString(),
		By:     c.settings.owner,
		Reason: m.Reason.ValueString(),
	}
	err := c.look(ctx, lock.Ensemble, func(ctx context.Context, _ *zookeeper.Session) (err error) {
		broken, err = locker.Break(ctx, func(ctx context.Context) (*zookeeper.Session, error) {
			return c.runtime.Sessions.Session(ctx, lock.Ensemble)
		}, req)
		return err
	})
	if err != nil {
		diags.Append(explainBreak(lock, req.Znode, err))
		return broken, diags
	}
	_ = holder.LogBreak(lock.Lock.LockID, broken, req.By, req.Reason) // Configure has warned of a log that cannot be written
	tflog.Warn(ctx, "lock broken", map[string]any{"lockid": lock.Lock.LockID, "znode": req.Znode, "held_by": broken.Entry.String(), "reason": req.Reason, "told": broken.Told})
	return broken, diags
}

// explainBreak turns an error about a holder that was to be removed into a diagnostic.
func explainBreak(lock holder.Request, znode string, err error) diag.Diagnostic {
	at, shown, lockID := path.Root("znode"), zookeeper.Quote(znode), lock.Lock.LockID
	const lookAgain = " Find out who holds the lock now before you break it: the data source clocker_lock shows it."
	switch {
	case errors.Is(err, locker.ErrRequest):
		return diag.NewAttributeErrorDiagnostic(at, "Not A Holder Of This Lock",
			fmt.Sprintf("The znode %s cannot hold lock %q. Write the absolute path of a holder's znode, in %s.\n\nError: %v", shown, lockID, lock.Lock.Dir, err))
	case errors.Is(err, locker.ErrNotThere):
		return diag.NewAttributeErrorDiagnostic(at, "Nothing To Break",
			fmt.Sprintf("There is no znode %s: its holder has released lock %q, or lost it. Nothing was removed.", shown, lockID)+lookAgain)
	case errors.Is(err, locker.ErrNotHolder):
		return diag.NewAttributeErrorDiagnostic(at, "Znode Does Not Hold The Lock",
			fmt.Sprintf("The znode %s waits for lock %q and does not hold it. Nothing was removed. To end a wait, end that run.", shown, lockID)+lookAgain)
	case errors.Is(err, locker.ErrChanged):
		return diag.NewAttributeErrorDiagnostic(at, "Holder Has Changed",
			fmt.Sprintf("The znode %s changed while this action looked at it, so it may be another holder's now. Nothing was removed.", shown)+lookAgain)
	default:
		return explain(breaking, lock, err)
	}
}
