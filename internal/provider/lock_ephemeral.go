// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"path"

	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/clocker/terraform-provider-clocker/internal/holder"
	"github.com/clocker/terraform-provider-clocker/internal/locker"
)

var (
	_ ephemeral.EphemeralResourceWithConfigure = (*lockEphemeral)(nil)
	_ ephemeral.EphemeralResourceWithClose     = (*lockEphemeral)(nil)
)

func newLockEphemeral() ephemeral.EphemeralResource { return &lockEphemeral{} }

type lockEphemeral struct{ client *client }

type lockEphemeralModel struct {
	lockModel
	heldModel
	Hold types.Bool `tfsdk:"hold"`
}

// openLock is what Close needs to know about a lock. The provider's configuration says the
// rest of how to reach it.
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
	arguments := takeArguments()
	arguments["required"] = argRequired
	arguments["hold"] = argument{
		text:  fmt.Sprintf("With `false` the lock is not taken now, and `held` is `false`. Meant for `hold = terraform.applying`. Default `%t`.", defaultHold),
		value: defaultHold,
	}
	attributes := attributes(arguments, ephemeralAttribute)
	attributes["held"] = schema.BoolAttribute{Computed: true, MarkdownDescription: heldText}
	attributes["znode"] = schema.StringAttribute{Computed: true, MarkdownDescription: znodeText}
	attributes["fencing_token"] = schema.Int64Attribute{Computed: true, MarkdownDescription: tokenText}
	resp.Schema = schema.Schema{
		MarkdownDescription: "Holds a lock from the moment it is opened until everything in this run that depends on it is created, or changed in place. It is not kept in the state and never shows in a plan.\n\n" +
			"Terraform opens ephemeral blocks while it plans too. With `hold = terraform.applying` the lock is taken only to apply. " +
			"`terraform.applying` is `false` in a `terraform destroy`, in which Terraform opens an ephemeral block only if a provider configuration refers to it.",
		Attributes: attributes,
	}
}

// Configure takes the provider's data.
func (e *lockEphemeral) Configure(_ context.Context, req ephemeral.ConfigureRequest, resp *ephemeral.ConfigureResponse) {
	e.client = configured(req.ProviderData, &resp.Diagnostics)
}

// Open takes the lock. It asks for no renewal: Terraform goes on after a renewal that
// failed, and prints two lines for each.
func (e *lockEphemeral) Open(ctx context.Context, req ephemeral.OpenRequest, resp *ephemeral.OpenResponse) {
	var m lockEphemeralModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	lock, ok := e.client.requestNow(m.lockModel, &resp.Diagnostics)
	if !ok {
		return
	}
	lock.Optional = m.optional()
	e.client.warnOfOnLost(m.OnLost, &resp.Diagnostics)
	m.setFree()
	if m.Hold.IsNull() || m.Hold.ValueBool() {
		grant, held := e.client.take(ctx, lock, &resp.Diagnostics)
		if resp.Diagnostics.HasError() {
			return
		}
		if held {
			m.setHeld(grant)
			resp.Diagnostics.Append(setPrivate(ctx, resp.Private, privateLock, openLock{lock.Lock.LockID, lock.Ensemble.Servers, grant.Znode, grant.ID})...)
		}
	}
	resp.Diagnostics.Append(resp.Result.Set(ctx, &m)...)
}

// Close releases the lock, and reports it if it was lost. Terraform does not call it after
// an interrupt; then the holder process releases the lock when the run ends.
func (e *lockEphemeral) Close(ctx context.Context, req ephemeral.CloseRequest, resp *ephemeral.CloseResponse) {
	var open openLock
	resp.Diagnostics.Append(getPrivate(ctx, req.Private, privateLock, &open)...)
	if resp.Diagnostics.HasError() || open.Znode == "" {
		return
	}
	lock := holder.Request{Ensemble: e.client.ensemble(open.Servers), Lock: locker.Request{LockID: open.LockID, Dir: path.Dir(open.Znode)}}
	if err := e.client.release(ctx, lock, holder.Znode{Ensemble: lock.Ensemble, Path: open.Znode, Grant: open.Grant}, &resp.Diagnostics); err != nil {
		resp.Diagnostics.Append(explain(releasing, lock, fmt.Errorf("close: %w", err)))
	}
}
