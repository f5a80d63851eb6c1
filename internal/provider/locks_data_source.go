// SPDX-License-Identifier: MPL-2.0

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
	listModel
	Locks []listedModel `tfsdk:"locks"`
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
		"lockid":    schema.StringAttribute{Computed: true, MarkdownDescription: "The `lockid` that a block needs to name the lock. It has `__` for each `/` of the `lockid` with which the lock was taken. Null for a lock of another client that is deeper below the root, which no `lockid` can name."},
		"name":      schema.StringAttribute{Computed: true, MarkdownDescription: "Path of the lock's directory below the root."},
		"directory": schema.StringAttribute{Computed: true, MarkdownDescription: "Absolute path of the lock's directory."},
		"holders":   schema.ListNestedAttribute{Computed: true, NestedObject: entryObject(), MarkdownDescription: "Who holds the lock, in queue order."},
		"waiters":   schema.Int64Attribute{Computed: true, MarkdownDescription: "How many wait for the lock."},
		"readable":  schema.BoolAttribute{Computed: true, MarkdownDescription: "Whether this client may list the lock's directory. If not, holders and waiters are unknown."},
	}}
	attributes := attributes(listArguments(), dataAttribute)
	attributes["locks"] = schema.ListNestedAttribute{Computed: true, NestedObject: lock, MarkdownDescription: "The locks, sorted by name."}
	resp.Schema = schema.Schema{
		MarkdownDescription: "Looks at all locks that somebody holds or waits for, including those of other clients, without taking any. " + rootsText +
			" By the time you use the answer, a lock may have changed hands.",
		Attributes: attributes,
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
	_, locks, ok := d.client.listNow(ctx, model.listModel, &resp.Diagnostics)
	if !ok {
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
