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

// maxUnrecognized is how many names of no contenders are told.
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
		"owner":      schema.StringAttribute{Computed: true, MarkdownDescription: "Who it is; for another client, what that wrote into its znode. Null if it did not say."},
		"info":       schema.StringAttribute{Computed: true, MarkdownDescription: "The `info` of its block. Null if there is none."},
		"run":        schema.StringAttribute{Computed: true, MarkdownDescription: "Id of the Terraform run, by its own word. Null for another client."},
		"mode":       schema.StringAttribute{Computed: true, MarkdownDescription: fmt.Sprintf("`%s`, `%s` or `%s`.", locker.Exclusive, locker.Shared, locker.Semaphore)},
		"client":     schema.StringAttribute{Computed: true, MarkdownDescription: "Program and version. Null for another client."},
		"durable":    schema.BoolAttribute{Computed: true, MarkdownDescription: "Whether the znode outlives its client."},
		"host":       schema.StringAttribute{Computed: true, MarkdownDescription: "Name of the machine where it runs. Null for another client."},
		"pid":        schema.Int64Attribute{Computed: true, MarkdownDescription: "Process id of its Terraform on that machine. Null for another client."},
		"since":      schema.StringAttribute{Computed: true, MarkdownDescription: "When it joined the queue, in RFC 3339: by its own clock, for another client by the server's."},
		"held_since": schema.StringAttribute{Computed: true, MarkdownDescription: "Since when it holds the lock, in RFC 3339, by its own clock. Null while it waits, and for another client, which does not say."},
		"until":      schema.StringAttribute{Computed: true, MarkdownDescription: "When its run is interrupted at the latest (`max_hold`), in RFC 3339. Null if there is no such limit, and while it waits."},
	}}
}

// Schema describes the data source.
func (d *lockDataSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Looks at a lock without taking it: who holds it and who waits. The look is a snapshot; by the time it is used the lock may have changed hands. To guard work, take the lock.",
		Attributes: map[string]schema.Attribute{
			"lockid": schema.StringAttribute{
				MarkdownDescription: lockIDText,
				Required:            true,
				Validators:          lockIDValidators(),
			},
			"zookeeper": schema.StringAttribute{
				MarkdownDescription: zookeeperText,
				Optional:            true,
				Validators:          connectStringValidators(),
			},
			"slots": schema.Int64Attribute{
				CustomType:          wholeNumber{},
				MarkdownDescription: "The number of slots of a semaphore: so many of the queue hold it. Leave it out for a plain lock.",
				Optional:            true,
				Validators:          slotsValidators(),
			},
			"held":             schema.BoolAttribute{Computed: true, MarkdownDescription: "Whether anyone holds the lock."},
			"held_by_this_run": schema.BoolAttribute{Computed: true, MarkdownDescription: "Whether this run of Terraform holds the lock: the cookbook's `Clocker.held?`. It goes by what this run was granted, not by what znodes say."},
			"holders":          schema.ListNestedAttribute{Computed: true, NestedObject: entryObject(), MarkdownDescription: "Who holds the lock, in queue order."},
			"waiters":          schema.ListNestedAttribute{Computed: true, NestedObject: entryObject(), MarkdownDescription: "Who waits for the lock, in queue order."},
			"unrecognized": schema.ListAttribute{
				Computed: true, ElementType: types.StringType,
				MarkdownDescription: fmt.Sprintf("Names of children of the lock's directory that are no contenders: the first %d, sorted. ", maxUnrecognized) +
					"One with characters that would garble a terminal is in quotes, with escapes. They do not keep anyone from the lock here, but stall the Ruby `zk` gem.",
			},
		},
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
	// Who only looks names no contender, so that a layout of the provider that cannot
	// name those of a semaphore is nothing to it.
	t, ok := d.client.locate(place{
		lockID: model.LockID, zookeeper: model.ZooKeeper, slots: model.Slots,
		layout: types.StringValue(string(locker.Standard)),
	}, &resp.Diagnostics)
	if !ok {
		unknownZooKeeper(&resp.Diagnostics)
		return
	}
	queue, err := d.client.inspect(ctx, t)
	if err != nil {
		resp.Diagnostics.Append(explain(reading, t, err))
		return
	}
	model.Held = types.BoolValue(len(queue.Holders) > 0)
	own, err := d.client.runtime.Holder.Own(ctx, t.dir)
	if err != nil {
		resp.Diagnostics.Append(explain(reading, t, err))
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

// said is null for what a client did not say.
func said(s string) types.String {
	if s == "" {
		return types.StringNull()
	}
	return types.StringValue(s)
}
