package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

var _ datasource.DataSourceWithConfigure = (*locksDataSource)(nil)

func newLocksDataSource() datasource.DataSource { return &locksDataSource{} }

type locksDataSource struct{ client *client }

type locksDataSourceModel struct {
	Prefix    types.String  `tfsdk:"prefix"`
	ZooKeeper types.String  `tfsdk:"zookeeper"`
	Locks     []listedModel `tfsdk:"locks"`
}

type listedModel struct {
	LockID    types.String `tfsdk:"lockid"`
	Name      types.String `tfsdk:"name"`
	Directory types.String `tfsdk:"directory"`
	Holders   []entryModel `tfsdk:"holders"`
	Waiters   types.Int64  `tfsdk:"waiters"`
	Readable  types.Bool   `tfsdk:"readable"`
}

// Metadata names the data source.
func (d *locksDataSource) Metadata(_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_locks"
}

// Schema describes the data source.
func (d *locksDataSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	lock := schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
		"lockid":    schema.StringAttribute{Computed: true, MarkdownDescription: "The `lockid` by which a block reaches the lock; where it was asked for with a `/`, with `__` in its place. Null for a lock of another client that no `lockid` reaches, as it is deeper below the root."},
		"name":      schema.StringAttribute{Computed: true, MarkdownDescription: "Path of the lock's directory below the root."},
		"directory": schema.StringAttribute{Computed: true, MarkdownDescription: "Absolute path of the lock's directory."},
		"holders":   schema.ListNestedAttribute{Computed: true, NestedObject: entryObject(), MarkdownDescription: "Who holds the lock, in queue order."},
		"waiters":   schema.Int64Attribute{Computed: true, MarkdownDescription: "How many wait for the lock."},
		"readable":  schema.BoolAttribute{Computed: true, MarkdownDescription: "Whether this client may list the lock's directory. If not, it is not known who is there."},
	}}
	resp.Schema = schema.Schema{
		MarkdownDescription: "Looks at all locks that somebody holds or waits for, those of other clients included, without taking any. They are looked for below " + rootsText + ". " +
			"The look is a snapshot; by the time it is used a lock may have changed hands.",
		Attributes: map[string]schema.Attribute{
			"prefix": schema.StringAttribute{MarkdownDescription: prefixText, Optional: true},
			"zookeeper": schema.StringAttribute{
				MarkdownDescription: "A connect string in place of the provider's.",
				Optional:            true,
				Validators:          connectStringValidators(),
			},
			"locks": schema.ListNestedAttribute{Computed: true, NestedObject: lock, MarkdownDescription: "The locks, in the order of their names."},
		},
	}
}

// Configure takes the provider's data.
func (d *locksDataSource) Configure(_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse) {
	d.client = configured(req.ProviderData, &resp.Diagnostics)
}

// Read looks at the locks.
func (d *locksDataSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var model locksDataSourceModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &model)...)
	if resp.Diagnostics.HasError() {
		return
	}
	roots, ok := d.client.roots(model.ZooKeeper, &resp.Diagnostics)
	if !ok {
		unknownZooKeeper(&resp.Diagnostics)
		return
	}
	locks, err := d.client.list(ctx, roots, model.Prefix.ValueString())
	if err != nil {
		resp.Diagnostics.Append(explainList(roots, err))
		return
	}
	model.Locks = make([]listedModel, 0, len(locks))
	for _, l := range locks {
		model.Locks = append(model.Locks, listedModel{
			LockID:    said(l.LockID()),
			Name:      types.StringValue(l.Name),
			Directory: types.StringValue(l.Dir),
			Holders:   entryModels(l.Holders),
			Waiters:   types.Int64Value(int64(l.Waiters)),
			Readable:  types.BoolValue(!l.Unreadable),
		})
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, &model)...)
}
