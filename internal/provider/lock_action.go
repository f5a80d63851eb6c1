// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/action"
	"github.com/hashicorp/terraform-plugin-framework/action/schema"

	"github.com/clocker/terraform-provider-clocker/internal/holder"
	"github.com/clocker/terraform-provider-clocker/internal/locker"
)

var _ action.ActionWithConfigure = (*lockAction)(nil)

func newLockAction() action.Action { return &lockAction{} }

type lockAction struct{ client *client }

// Metadata names the action.
func (a *lockAction) Metadata(_ context.Context, req action.MetadataRequest, resp *action.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_lock"
}

// Schema describes the action.
func (a *lockAction) Schema(_ context.Context, _ action.SchemaRequest, resp *action.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Takes a lock before the instances that trigger it change, and holds it until the run ends. A run that changes none of them takes no lock. Nothing is kept in the state. " +
			"Needs Terraform 1.14; the events before and after a destroy need 1.16.\n\n" +
			"All instances that trigger it share one lock: the first one takes it, and the others go on as soon as it is held.",
		Attributes: attributes(takeArguments(), actionAttribute),
	}
}

// Configure takes the provider's data.
func (a *lockAction) Configure(_ context.Context, req action.ConfigureRequest, resp *action.ConfigureResponse) {
	a.client = configured(req.ProviderData, &resp.Diagnostics)
}

// Invoke takes the lock, or shares it if the run has it. Only the end of the run releases
// it, because what triggered the action changes after it.
func (a *lockAction) Invoke(ctx context.Context, req action.InvokeRequest, resp *action.InvokeResponse) {
	var m lockModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	lock, ok := a.client.requestNow(m, &resp.Diagnostics)
	if !ok {
		return
	}
	lock.Lock.Waiting = func(w locker.Waiting) {
		resp.SendProgress(action.InvokeProgressEvent{Message: holder.Progress(lock.Lock.LockID, w, time.Now())})
	}
	a.client.warnOfOnLost(m.OnLost, &resp.Diagnostics)
	a.client.take(ctx, lock, &resp.Diagnostics)
}
