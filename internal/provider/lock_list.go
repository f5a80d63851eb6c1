// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/list"
	"github.com/hashicorp/terraform-plugin-framework/list/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/clocker/terraform-provider-clocker/internal/holder"
	"github.com/clocker/terraform-provider-clocker/internal/locker"
)

var _ list.ListResourceWithConfigure = (*lockList)(nil)

func newLockList() list.ListResource { return &lockList{} }

// lockList lists locks for `terraform query`.
type lockList struct{ client *client }

// Metadata names what is listed.
func (l *lockList) Metadata(_ context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_lock"
}

// ListResourceConfigSchema describes the block.
func (l *lockList) ListResourceConfigSchema(_ context.Context, _ list.ListResourceSchemaRequest, resp *list.ListResourceSchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Lists the locks that somebody holds or waits for, including those of other clients, in `terraform query` (Terraform 1.14). " + rootsText +
			" Locks that other clients keep deeper below the root are not listed, because no `lockid` can name them.",
		Attributes: attributes(listArguments(), listAttribute),
	}
}

// Configure takes the provider's data.
func (l *lockList) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	l.client = configured(req.ProviderData, &resp.Diagnostics)
}

// List looks at the locks.
func (l *lockList) List(ctx context.Context, req list.ListRequest, stream *list.ListResultsStream) {
	var model listModel
	diags := req.Config.Get(ctx, &model)
	var roots lockRoots
	var locks []locker.Listed
	ok := !diags.HasError()
	if ok {
		roots, locks, ok = l.client.listNow(ctx, model, &diags)
	}
	if !ok {
		stream.Results = list.ListResultsStreamDiagnostics(diags)
		return
	}
	stream.Results = func(push func(list.ListResult) bool) {
		pushed := int64(0)
		for _, lock := range locks {
			if lock.LockID() == "" {
				continue
			}
			if pushed == req.Limit || !push(l.item(ctx, req, roots, model, lock)) {
				return
			}
			pushed++
		}
	}
}

// item is a lock as Terraform lists it.
func (l *lockList) item(ctx context.Context, req list.ListRequest, roots lockRoots, model listModel, lock locker.Listed) list.ListResult {
	result := req.NewListResult(ctx)
	result.DisplayName = displayName(lock)
	result.Diagnostics = diag.Diagnostics{}
	result.Diagnostics.Append(result.Identity.Set(ctx, lockIdentity{types.StringValue(lock.LockID()), roots.servers})...)
	if req.IncludeResource {
		m := imported(lock.LockID())
		m.ZooKeeper = model.ZooKeeper
		m.setFree()
		if len(lock.Holders) > 0 {
			first := lock.Holders[0]
			m.setHeld(holder.Grant{Znode: first.Znode, Token: first.FencingToken()})
			m.Info = said(first.Data.Info)
			if first.Session != 0 {
				m.HoldUntil = types.StringValue(string(runEnds))
			}
			(&lockResource{l.client}).describe(&m, first)
		}
		result.Diagnostics.Append(result.Resource.Set(ctx, &m)...)
	}
	return result
}

// mostNamed is how many holders a line names.
const mostNamed = 3

// displayName says in a line which lock it is, who holds it, and how many wait.
func displayName(lock locker.Listed) string {
	if lock.Unreadable {
		return lock.ShownName() + ": this client may not list its holders"
	}
	if len(lock.Holders) == 0 {
		return fmt.Sprintf("%s: held by nobody, %d waiting", lock.ShownName(), lock.Waiters)
	}
	var who []string
	for _, h := range lock.Holders[:min(mostNamed, len(lock.Holders))] {
		who = append(who, ownerOf(h))
	}
	if more := len(lock.Holders) - mostNamed; more > 0 {
		who = append(who, fmt.Sprintf("%d more", more))
	}
	return fmt.Sprintf("%s: held by %s, %d waiting", lock.ShownName(), strings.Join(who, " and "), lock.Waiters)
}

func ownerOf(e locker.Entry) string {
	owner := e.Data.Owner
	if owner == "" {
		owner = "an unnamed client"
	}
	if e.Session == 0 {
		owner += " (durable)"
	}
	return owner
}
