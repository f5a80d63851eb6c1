// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	tfpath "github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/clocker/terraform-provider-clocker/internal/holder"
	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// takenAt says where a resource's lock was taken. It is kept in the private state.
type takenAt struct {
	Servers []string // all servers that have had the lock since, the last ones first
	Znode   string
	Durable bool
}

// elsewhereError says that a durable lock was taken from another ensemble than the
// one that the configuration names now.
type elsewhereError struct {
	znode     string
	then, now []string
}

func (e *elsewhereError) Error() string {
	return "the lock is not there. It was taken from " + strings.Join(e.then, ", ")
}

// elsewhere is an [elsewhereError] if a durable lock is not found in the ensemble that the
// configuration names now, and that ensemble has no server in common with the one that
// the lock was taken from. An ensemble has no name of its own. But where the lock's znode
// is found, the ensemble is the same, whatever its servers are called. If the znode is not
// found, one common server is enough to say that the lock is gone.
func (r *lockResource) elsewhere(ctx context.Context, private privateReader, state lockResourceModel, req holder.Request, diags *diag.Diagnostics) error {
	var taken takenAt
	diags.Append(getPrivate(ctx, private, privatePlace, &taken)...)
	if !state.durable() || len(taken.Servers) == 0 || haveCommon(taken.Servers, req.Ensemble.Servers) {
		return nil
	}
	entry, ok, err := r.client.lookup(ctx, req, state.Znode.ValueString())
	if err != nil || ok && isDurable(entry) {
		return err
	}
	return &elsewhereError{znode: state.Znode.ValueString(), then: taken.Servers, now: req.Ensemble.Servers}
}

// remember adds the servers that have a durable lock to those that had it before.
func (r *lockResource) remember(ctx context.Context, from privateReader, to privateWriter, state lockResourceModel, req holder.Request, diags *diag.Diagnostics) {
	if !state.durable() {
		return
	}
	var taken takenAt
	diags.Append(getPrivate(ctx, from, privatePlace, &taken)...)
	servers := slices.Clone(req.Ensemble.Servers)
	for _, server := range taken.Servers {
		if !slices.Contains(servers, server) && len(servers) < zookeeper.MaxServers {
			servers = append(servers, server)
		}
	}
	if len(servers) > len(taken.Servers) {
		diags.Append(setPrivate(ctx, to, privatePlace, takenAt{servers, state.Znode.ValueString(), true})...)
	}
}

// takesAgain tells whether a lock of ours has to be released and taken again in another
// way. An argument that the plan leaves out has not changed.
func (r *lockResource) takesAgain(plan, state lockResourceModel) bool {
	var ignored diag.Diagnostics // ModifyPlan has shown them
	now, ok := r.request(plan, &ignored)
	then, known := r.request(state, &ignored)
	return !ok || !known || now.Lock.Durable != then.Lock.Durable || now.Lock.Mode != then.Lock.Mode || now.Lock.Slots != then.Lock.Slots || now.Lock.Layout != then.Lock.Layout
}

// inAnotherEnsemble tells whether the block's zookeeper argument means another ensemble, or
// another chroot, than before. The lock's identity says which.
func (r *lockResource) inAnotherEnsemble(plan, state lockResourceModel) bool {
	if plan.ZooKeeper.Equal(state.ZooKeeper) {
		return false
	}
	var ignored diag.Diagnostics // ModifyPlan has shown them
	before := plan
	before.ZooKeeper = state.ZooKeeper
	now, ok := r.request(plan, &ignored)
	then, known := r.request(before, &ignored)
	return !ok || !known || now.Lock.Dir != then.Lock.Dir || !haveCommon(now.Ensemble.Servers, then.Ensemble.Servers)
}

// replacesItself adds an error if the plan replaces an object by one that takes the same
// durable lock. With create_before_destroy the new object would wait for the znode of the
// old one. A lock inherits that from what depends on it, so this object may have it, and
// it cannot be known here. For the plan of a new object the private state is the old one's.
func (r *lockResource) replacesItself(ctx context.Context, plan lockResourceModel, private privateReader, diags *diag.Diagnostics) {
	var taken takenAt
	diags.Append(getPrivate(ctx, private, privatePlace, &taken)...)
	if !taken.Durable {
		return
	}
	var ignored diag.Diagnostics // ModifyPlan has shown them
	req, ok := r.request(plan, &ignored)
	if !ok || req.Lock.Dir != path.Dir(taken.Znode) || !haveCommon(req.Ensemble.Servers, taken.Servers) {
		return
	}
	diags.AddAttributeError(tfpath.Root("lockid"), "Durable Lock Cannot Replace Itself",
		fmt.Sprintf("Lock %q is durable, and this resource holds it, as %s. A new object that takes the same lock would wait for this one. "+
			"Terraform may destroy this one only afterwards, if this resource, or one that depends on it, has create_before_destroy.\n\n"+
			"To release the lock and take it again, destroy this resource (terraform destroy -target=ADDRESS, where ADDRESS is its address, such as clocker_lock.NAME), and apply. "+
			"Leave out -replace, and replace_triggered_by in its lifecycle. Another mode, slots, layout or hold_until needs no replacement.", req.Lock.LockID, taken.Znode))
}

// isDurable tells whether a contender is a durable lock.
func isDurable(e locker.Entry) bool { return e.Data.Durable && e.Session == 0 }

// haveCommon tells whether both lists have a server in common. The order does not matter,
// and servers come and go.
func haveCommon(a, b []string) bool {
	return slices.ContainsFunc(a, func(server string) bool {
		return slices.ContainsFunc(b, func(other string) bool { return sameServer(server, other) })
	})
}

func sameServer(a, b string) bool {
	canonical := func(server string) string {
		host, port, _ := strings.Cut(strings.ToLower(server), ":")
		return strings.TrimSuffix(host, ".") + ":" + port
	}
	return canonical(a) == canonical(b)
}
