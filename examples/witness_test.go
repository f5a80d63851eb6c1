// SPDX-License-Identifier: MPL-2.0

package examples_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	dataschema "github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	providerschema "github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

const (
	fleetAddress     = "example.com/you/fleet"
	fleetRequirement = `terraform {
  required_providers {
    clocker = { source = "clocker/clocker" }
    fleet   = { source = "` + fleetAddress + `" }
  }
}
`
)

// witness is a provider "fleet" whose servers are nothing but a note of what is done
// with them, and of who holds the lock web-rollout at that moment.
type witness struct {
	w *workspace

	mu    sync.Mutex
	notes []note
}

// note is one thing that was done.
type note struct {
	what   string // create, update, delete
	server string
	holder string
}

const (
	thisRun      = "this run"
	somebodyElse = "somebody else"
	nobody       = "nobody"
)

// newWitness serves the provider to the workspace's commands.
func newWitness(t *testing.T, w *workspace) *witness {
	t.Helper()
	f := &witness{w: w}
	ctx, stop := context.WithCancel(context.Background())
	served, closed := make(chan *plugin.ReattachConfig), make(chan struct{})
	go func() {
		err := tf6server.Serve(fleetAddress, func() tfprotov6.ProviderServer { return providerserver.NewProtocol6(&fleetProvider{f})() },
			tf6server.WithDebug(ctx, served, closed), tf6server.WithGoPluginLogger(hclog.NewNullLogger()))
		if err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() {
		stop()
		<-closed
	})
	config := <-served
	reattach, err := json.Marshal(map[string]any{fleetAddress: map[string]any{
		"Protocol": string(config.Protocol), "ProtocolVersion": config.ProtocolVersion, "Pid": config.Pid, "Test": true,
		"Addr": map[string]string{"Network": config.Addr.Network(), "String": config.Addr.String()},
	}})
	if err != nil {
		t.Fatal(err)
	}
	w.Setenv("TF_REATTACH_PROVIDERS", string(reattach))
	return f
}

// see notes what is done.
func (f *witness) see(what string, server types.String) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.notes = append(f.notes, note{what, server.ValueString(), f.holder()})
}

// holder is who holds the lock: the first in the queue.
func (f *witness) holder() string {
	const dir = "/_zklocking/web-rollout"
	if !f.w.space.Exists(dir) {
		return nobody
	}
	names := f.w.space.Children(dir)
	if len(names) == 0 {
		return nobody
	}
	zktest.SortQueue(names)
	if strings.HasPrefix(names[0], foreign) {
		return somebodyElse
	}
	return thisRun
}

// seen returns what was done since the last call.
func (f *witness) seen() []note {
	f.mu.Lock()
	defer f.mu.Unlock()
	notes := f.notes
	f.notes = nil
	return notes
}

type fleetProvider struct{ *witness }

func (p *fleetProvider) Metadata(_ context.Context, _ provider.MetadataRequest, resp *provider.MetadataResponse) {
	resp.TypeName = "fleet"
}

func (p *fleetProvider) Schema(_ context.Context, _ provider.SchemaRequest, resp *provider.SchemaResponse) {
	resp.Schema = providerschema.Schema{Attributes: map[string]providerschema.Attribute{
		"comment": providerschema.StringAttribute{Optional: true},
	}}
}

func (p *fleetProvider) Configure(context.Context, provider.ConfigureRequest, *provider.ConfigureResponse) {
}

func (p *fleetProvider) Resources(context.Context) []func() resource.Resource {
	return []func() resource.Resource{func() resource.Resource { return &fleetServer{p.witness} }}
}

func (p *fleetProvider) DataSources(context.Context) []func() datasource.DataSource {
	return []func() datasource.DataSource{func() datasource.DataSource { return fleetImage{} }}
}

type fleetServer struct{ *witness }

type fleetServerModel struct {
	Name  types.String `tfsdk:"name"`
	Image types.String `tfsdk:"image"`
	Size  types.String `tfsdk:"size"`
}

func (s *fleetServer) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = "fleet_server"
}

func (s *fleetServer) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = schema.Schema{Attributes: map[string]schema.Attribute{
		"name":  schema.StringAttribute{Required: true},
		"image": schema.StringAttribute{Required: true, PlanModifiers: []planmodifier.String{stringplanmodifier.RequiresReplace()}},
		"size":  schema.StringAttribute{Optional: true},
	}}
}

func (s *fleetServer) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var m fleetServerModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &m)...)
	s.see("create", m.Name) //nolint:contextcheck // the look is the test's
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}

func (s *fleetServer) Read(context.Context, resource.ReadRequest, *resource.ReadResponse) {}

func (s *fleetServer) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var m fleetServerModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &m)...)
	s.see("update", m.Name) //nolint:contextcheck // the look is the test's
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}

func (s *fleetServer) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var m fleetServerModel
	resp.Diagnostics.Append(req.State.Get(ctx, &m)...)
	s.see("delete", m.Name) //nolint:contextcheck // the look is the test's
}

// fleetImage is a data source whose value never changes.
type fleetImage struct{}

func (fleetImage) Metadata(_ context.Context, _ datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = "fleet_image"
}

func (fleetImage) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = dataschema.Schema{Attributes: map[string]dataschema.Attribute{"id": dataschema.StringAttribute{Computed: true}}}
}

func (fleetImage) Read(ctx context.Context, _ datasource.ReadRequest, resp *datasource.ReadResponse) {
	resp.Diagnostics.Append(resp.State.Set(ctx, &struct {
		ID types.String `tfsdk:"id"`
	}{types.StringValue("web-1.4.2")})...)
}

func (n note) String() string {
	return fmt.Sprintf("%s %s under the lock of %s", n.what, n.server, n.holder)
}
