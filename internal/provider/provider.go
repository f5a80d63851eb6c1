// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/action"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	"github.com/hashicorp/terraform-plugin-framework/list"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/clocker/terraform-provider-clocker/internal/holder"
	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/run"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

var (
	_ provider.ProviderWithEphemeralResources = (*clockerProvider)(nil)
	_ provider.ProviderWithActions            = (*clockerProvider)(nil)
	_ provider.ProviderWithListResources      = (*clockerProvider)(nil)
)

// Runtime is what the provider works with. It outlives a provider instance and
// is closed by its creator.
type Runtime struct {
	// Run is the Terraform process that locks are held for.
	Run run.Run
	// RunError, if not nil, says why Run is not known. No lock can be taken then.
	RunError error
	// Holder takes and keeps locks.
	Holder holder.Holder
	// NoInterrupt says that this system cannot interrupt a run.
	NoInterrupt bool
	// Sessions are for looking at locks.
	Sessions *zookeeper.Pool
	// Stopping, if not nil, is called when Terraform says that it was interrupted. It
	// must not block.
	Stopping func()
	// Notes, if not nil, returns messages for the user that belong into a diagnostic.
	Notes func() []string
}

// New returns a constructor of the provider for the plugin server.
func New(version string, rt Runtime) func() provider.Provider {
	if rt.RunError != nil {
		rt.Holder = holder.Unavailable(&runError{rt.RunError})
	}
	return func() provider.Provider {
		return &clockerProvider{version: version, runtime: rt}
	}
}

type clockerProvider struct {
	version string
	runtime Runtime
}

type providerModel struct {
	ZooKeeper      types.String `tfsdk:"zookeeper"`
	SessionTimeout types.Int64  `tfsdk:"session_timeout"`
	ConnectTimeout types.Int64  `tfsdk:"connect_timeout"`
	LockRoot       types.String `tfsdk:"lock_root"`
	Layout         types.String `tfsdk:"layout"`
	Owner          types.String `tfsdk:"owner"`
	Username       types.String `tfsdk:"username"`
	Password       types.String `tfsdk:"password"`
	ACL            types.String `tfsdk:"acl"`
	TLS            *tlsModel    `tfsdk:"tls"`

	Kerberos  *kerberosModel  `tfsdk:"kerberos"`
	DigestMD5 *digestMD5Model `tfsdk:"digest_md5"`
}

// Metadata names the provider.
func (p *clockerProvider) Metadata(_ context.Context, _ provider.MetadataRequest, resp *provider.MetadataResponse) {
	resp.TypeName = "clocker"
	resp.Version = p.version
}

// Schema describes the provider's configuration.
func (p *clockerProvider) Schema(_ context.Context, _ provider.SchemaRequest, resp *provider.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Takes and releases distributed locks in Apache ZooKeeper, so that of all runs that share a lock one at a time does the guarded work. " +
			"Every argument can also come from the environment; the configuration goes first. A variable of this provider that is set but empty is an error.",
		Attributes: map[string]schema.Attribute{
			"zookeeper": schema.StringAttribute{
				MarkdownDescription: "Connect string `host[:port][,host[:port]...][/chroot]` of the ensemble. The default port is 2181. Put IPv6 addresses in brackets. " +
					"Needed here or on each block. Environment: " + settingZooKeeper.names() + ".",
				Optional:   true,
				Validators: []validator.String{connectString},
			},
			"session_timeout": schema.Int64Attribute{
				CustomType: wholeNumber{},
				MarkdownDescription: fmt.Sprintf("Seconds after which the server gives away the locks of a client that it no longer hears of. "+
					"The server may grant another value, which then counts. Default %d. Environment: %s.", defaultSessionTimeout, settingSessionTimeout.names()),
				Optional:   true,
				Validators: []validator.Int64{int64validator.Between(1, maxTimeout)},
			},
			"connect_timeout": schema.Int64Attribute{
				CustomType: wholeNumber{},
				MarkdownDescription: fmt.Sprintf("Seconds to wait for a session with any of the servers. Default %d. Environment: %s.",
					defaultConnectTimeout, settingConnectTimeout.names()),
				Optional:   true,
				Validators: []validator.Int64{int64validator.Between(1, maxTimeout)},
			},
			"lock_root": schema.StringAttribute{
				MarkdownDescription: fmt.Sprintf("Path, below the chroot, of the znode whose children are the locks. Default `%s`, and `%s` for a lock with `slots`, as in the Ruby `zk` gem. Environment: %s.",
					locker.DefaultRoot, locker.DefaultSemaphoreRoot, settingLockRoot.names()),
				Optional:   true,
				Validators: []validator.String{znodePath},
			},
			"layout": schema.StringAttribute{
				MarkdownDescription: argLayout.text + " Environment: " + settingLayout.names() + ".",
				Optional:            true,
				Validators:          argLayout.strings,
			},
			"owner": schema.StringAttribute{
				MarkdownDescription: "Who holds the lock, shown to those who wait for it. Default `user@host`. Environment: " + settingOwner.names() + ".",
				Optional:            true,
				Validators:          []validator.String{stringvalidator.LengthBetween(1, locker.MaxOwner)},
			},
			"username": schema.StringAttribute{
				MarkdownDescription: "User of ZooKeeper's digest authentication. Needs `password`. Environment: " + settingUsername.names() + ".",
				Optional:            true,
				Validators:          []validator.String{digestUser},
			},
			"password": schema.StringAttribute{
				MarkdownDescription: "Password of `username`. It is not kept in the state, and goes only to ZooKeeper. Environment: " + settingPassword.names() + ".",
				Optional:            true,
				Sensitive:           true,
				Validators:          []validator.String{stringvalidator.LengthBetween(1, maxCredential)},
			},
			"acl": schema.StringAttribute{
				MarkdownDescription: fmt.Sprintf("Who may change what this provider creates in ZooKeeper. `%s`, the default: everyone, as with other clients. "+
					"`%s`: only this user (`username`, `kerberos`, `digest_md5`, or a client certificate that ZooKeeper takes for a user). Everyone can still see who holds a lock. "+
					"A lock whose directory others may change is then not taken. Environment: %s.",
					aclOpen, aclCreator, settingACL.names()),
				Optional:   true,
				Validators: []validator.String{oneOf(acls)},
			},
		},
		Blocks: map[string]schema.Block{"tls": tlsBlock(), blockKerberos: kerberosBlock(), blockDigestMD5: digestMD5Block()},
	}
}

// Configure reads the configuration and the environment. It does not connect.
func (p *clockerProvider) Configure(ctx context.Context, req provider.ConfigureRequest, resp *provider.ConfigureResponse) {
	var model providerModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &model)...)
	if resp.Diagnostics.HasError() {
		return
	}
	if _, err := holder.LogPath(); err != nil {
		resp.Diagnostics.AddWarning("Holder Keeps No Log",
			fmt.Sprintf("The file that the environment variable %s names cannot be used, so the process that holds this run's locks keeps no log. It must be a regular file of this user with a single name, not a symbolic link, or a path where one can be created.\n\nError: %v", holder.EnvLogPath, err))
	}
	if p.runtime.RunError != nil {
		resp.Diagnostics.AddWarning("Run Not Found", runNotFound(p.runtime.RunError)+" You can look at locks, but not take them.")
	}
	c := &client{runtime: p.runtime, version: p.version, settings: resolve(ctx, model, &resp.Diagnostics)}
	if resp.Diagnostics.HasError() {
		return
	}
	resp.ResourceData = c
	resp.DataSourceData = c
	resp.EphemeralResourceData = c
	resp.ActionData = c
	resp.ListResourceData = c
}

// Resources lists the resources.
func (p *clockerProvider) Resources(context.Context) []func() resource.Resource {
	return []func() resource.Resource{newLockResource}
}

// DataSources lists the data sources.
func (p *clockerProvider) DataSources(context.Context) []func() datasource.DataSource {
	return []func() datasource.DataSource{newLockDataSource, newLocksDataSource}
}

// EphemeralResources lists the ephemeral resources.
func (p *clockerProvider) EphemeralResources(context.Context) []func() ephemeral.EphemeralResource {
	return []func() ephemeral.EphemeralResource{newLockEphemeral}
}

// Actions lists the actions.
func (p *clockerProvider) Actions(context.Context) []func() action.Action {
	return []func() action.Action{newLockAction, newBreakAction}
}

// ListResources lists what `terraform query` can list.
func (p *clockerProvider) ListResources(context.Context) []func() list.ListResource {
	return []func() list.ListResource{newLockList}
}
