// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// maxUnrecognized is how many names of other children are shown.
const maxUnrecognized = 100

var _ datasource.DataSourceWithConfigure = (*lockDataSource)(nil)

func newLockDataSource() datasource.DataSource { return &lockDataSource{} }

type lockDataSource struct{ client *client }

type lockDataSourceModel struct {
	LockID        types.String `tfsdk:"lockid"`
	ZooKeeper     types.String `tfsdk:"zookeeper"`
	Slots         types.Int64  `tfsdk:"slots"`
	Held          types.Bool   `tfsdk:"held"`
	HeldByThisRun types.Bool   `tfsdk:"held_by_this_run"`
	Holders       []entryModel `tfsdk:"holders"`
	Waiters       []entryModel `tfsdk:"waiters"`
	Unrecognized  []string     `tfsdk:"unrecognized"`
}

type entryModel struct {
	Znode     types.String `tfsdk:"znode"`
	Owner     types.String `tfsdk:"owner"`
	Info      types.String `tfsdk:"info"`
	Run       types.String `tfsdk:"run"`
	Mode      types.String `tfsdk:"mode"`
	Client    types.String `tfsdk:"client"`
	Durable   types.Bool   `tfsdk:"durable"`
	Host      types.String `tfsdk:"host"`
	PID       types.Int64  `tfsdk:"pid"`
	Since     types.String `tfsdk:"since"`
	HeldSince types.String `tfsdk:"held_since"`
	Until     types.String `tfsdk:"until"`
}

// Metadata names the data source.
func (d *lockDataSource) Metadata(_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_lock"
}

// entryObject describes a contender.
func entryObject() schema.NestedAttributeObject {
	return schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
		"znode":      schema.StringAttribute{Computed: true, MarkdownDescription: "Absolute path of the contender's znode."},
		"owner":      schema.StringAttribute{Computed: true, MarkdownDescription: "Who it is. For another client: what it wrote into its znode. Null if it wrote nothing."},
		"info":       schema.StringAttribute{Computed: true, MarkdownDescription: "The `info` of its block. Null if there is none."},
		"run":        schema.StringAttribute{Computed: true, MarkdownDescription: "Id of the Terraform run, as the run itself says. Null for another client."},
		"mode":       schema.StringAttribute{Computed: true, MarkdownDescription: fmt.Sprintf("`%s`, `%s` or `%s`.", locker.Exclusive, locker.Shared, locker.Semaphore)},
		"client":     schema.StringAttribute{Computed: true, MarkdownDescription: "Program and version. Null for another client."},
		"durable":    schema.BoolAttribute{Computed: true, MarkdownDescription: "Whether the znode outlives its client."},
		"host":       schema.StringAttribute{Computed: true, MarkdownDescription: "Name of the machine where it runs. Null for another client."},
		"pid":        schema.Int64Attribute{Computed: true, MarkdownDescription: "Process id of its Terraform on that machine. Null for another client."},
		"since":      schema.StringAttribute{Computed: true, MarkdownDescription: "When it joined the queue, in RFC 3339: by its own clock, for another client by the server's clock."},
		"held_since": schema.StringAttribute{Computed: true, MarkdownDescription: "Since when it holds the lock, in RFC 3339, by its own clock. Null while it waits, and for another client."},
		"until":      schema.StringAttribute{Computed: true, MarkdownDescription: "When its run is interrupted at the latest (`max_hold`), in RFC 3339. Null without such a limit, and while it waits."},
	}}
}

// Schema describes the data source.
func (d *lockDataSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	slots := argSlots
	slots.text = "The number of slots of a semaphore: so many contenders of the queue hold it. Leave it out for a plain lock."
	attributes := attributes(map[string]argument{"lockid": argLockID, "zookeeper": argZooKeeper, "slots": slots}, dataAttribute)
	attributes["held"] = schema.BoolAttribute{Computed: true, MarkdownDescription: "Whether anyone holds the lock."}
	attributes["held_by_this_run"] = schema.BoolAttribute{Computed: true, MarkdownDescription: "Whether this run of Terraform holds the lock: the cookbook's `Clocker.held?`. It depends on what this run was granted, not on what znodes say."}
	attributes["holders"] = schema.ListNestedAttribute{Computed: true, NestedObject: entryObject(), MarkdownDescription: "Who holds the lock, in queue order."}
	attributes["waiters"] = schema.ListNestedAttribute{Computed: true, NestedObject: entryObject(), MarkdownDescription: "Who waits for the lock, in queue order."}
	attributes["unrecognized"] = schema.ListAttribute{
		Computed: true, ElementType: types.StringType,
		MarkdownDescription: fmt.Sprintf("Names of the children of the lock's directory that are not contenders: the first %d, sorted. ", maxUnrecognized) +
			"A name that would garble a terminal is in quotes, with escapes. They keep nobody from the lock here, but stall the Ruby `zk` gem.",
	}
	resp.Schema = schema.Schema{
		MarkdownDescription: "Looks at a lock without taking it: who holds it, and who waits. By the time you use the answer, the lock may have changed hands. To guard work, take the lock.",
		Attributes:          attributes,
	}
}

// Configure takes the provider's data.
func (d *lockDataSource) Configure(_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse) {
	d.client = configured(req.ProviderData, &resp.Diagnostics)
}

// Read looks at the lock.
func (d *lockDataSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var model lockDataSourceModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &model)...)
	if resp.Diagnostics.HasError() {
		return
	}
	lock, ok := d.client.requestNow(lookModel(model.LockID, model.ZooKeeper, model.Slots), &resp.Diagnostics)
	if !ok {
		return
	}
	queue, err := d.client.inspect(ctx, lock)
	if err != nil {
		resp.Diagnostics.Append(explain(reading, lock, err))
		return
	}
	model.Held = types.BoolValue(len(queue.Holders) > 0)
	own, err := d.client.runtime.Holder.Own(ctx, lock.Lock.Dir)
	if err != nil {
		resp.Diagnostics.Append(explain(reading, lock, err))
		return
	}
	model.HeldByThisRun = types.BoolValue(slices.ContainsFunc(queue.Holders, func(e locker.Entry) bool {
		return slices.Contains(own, e.Identity())
	}))
	model.Holders = entryModels(queue.Holders)
	model.Waiters = entryModels(queue.Waiters)
	model.Unrecognized = []string{}
	for _, name := range queue.Unrecognized[:min(len(queue.Unrecognized), maxUnrecognized)] {
		model.Unrecognized = append(model.Unrecognized, zookeeper.Shown(name))
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, &model)...)
}

func entryModels(entries []locker.Entry) []entryModel {
	models := make([]entryModel, 0, len(entries))
	for _, e := range entries {
		m := entryModel{
			Znode:   types.StringValue(e.Znode),
			Owner:   said(e.Data.Owner),
			Info:    said(e.Data.Info),
			Run:     said(e.Data.Run),
			Mode:    types.StringValue(string(e.Contender.Mode)),
			Client:  said(e.Data.Client),
			Durable: types.BoolValue(e.Session == 0),
			Host:    said(e.Data.Host),
			Since:   types.StringValue(e.Joined().UTC().Format(time.RFC3339)),
		}
		if e.Data.PID != 0 {
			m.PID = types.Int64Value(int64(e.Data.PID))
		}
		if !e.Data.HeldSince.IsZero() {
			m.HeldSince = types.StringValue(e.Data.HeldSince.UTC().Format(time.RFC3339))
		}
		if until := e.Until(); !until.IsZero() {
			m.Until = types.StringValue(until.UTC().Format(time.RFC3339))
		}
		models = append(models, m)
	}
	return models
}

// said is null for what somebody did not say.
func said(s string) types.String {
	if s == "" {
		return types.StringNull()
	}
	return types.StringValue(s)
}
