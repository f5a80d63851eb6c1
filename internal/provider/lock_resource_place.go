package provider

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	tfpath "github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// takenAt is where a resource's lock was taken. It is kept in the private state.
type takenAt struct {
	Servers []string // all by which the lock was found since, the last ones first
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
	return "the lock is not there, and was taken from " + strings.Join(e.then, ", ")
}

// elsewhere is an [elsewhereError] if a durable lock cannot be found where the
// configuration says now, and none of the servers there is one that it was taken
// from. An ensemble has no name of its own, but a durable lock has one that nobody
// else has: where its znode is found, the servers are those of its ensemble, whatever
// they are called. If it is not found, one server in common is enough to say that it
// is gone.
func (r *lockResource) elsewhere(ctx context.Context, private privateReader, state lockResourceModel, t target, diags *diag.Diagnostics) error {
	var taken takenAt
	diags.Append(getPrivate(ctx, private, privatePlace, &taken)...)
	if !state.durable() || len(taken.Servers) == 0 || haveCommon(taken.Servers, t.ensemble.Servers) {
		return nil
	}
	entry, ok, err := r.client.lookup(ctx, t, state.Znode.ValueString())
	if err != nil || ok && isDurable(entry) {
		return err
	}
	return &elsewhereError{znode: state.Znode.ValueString(), then: taken.Servers, now: t.ensemble.Servers}
}

// remember notes the servers by which a durable lock was found.
func (r *lockResource) remember(ctx context.Context, from privateReader, to privateWriter, state lockResourceModel, t target, diags *diag.Diagnostics) {
	if !state.durable() {
		return
	}
	var taken takenAt
	diags.Append(getPrivate(ctx, from, privatePlace, &taken)...)
	servers := slices.Clone(t.ensemble.Servers)
	for _, server := range taken.Servers {
		if !slices.Contains(servers, server) && len(servers) < zookeeper.MaxServers {
			servers = append(servers, server)
		}
	}
	if len(servers) > len(taken.Servers) {
		diags.Append(setPrivate(ctx, to, privatePlace, takenAt{servers, state.Znode.ValueString(), true})...)
	}
}

// movesOn tells whether a lock that is ours has to be released, and taken again in
// another way. What the plan leaves out is no change.
func (r *lockResource) movesOn(plan, state lockResourceModel) bool {
	var ignored diag.Diagnostics // ModifyPlan has them, and so has what comes next
	now, ok := r.client.locate(plan.place(), &ignored)
	then, known := r.client.locate(state.place(), &ignored)
	return !ok || !known || plan.durable() != state.durable() || now.mode != then.mode || now.slots != then.slots || now.layout != then.layout
}

// isElsewhere tells whether the block's zookeeper argument means another ensemble, or
// another part of it, than before. The lock's identity says which one it is.
func (r *lockResource) isElsewhere(plan, state lockResourceModel) bool {
	if plan.ZooKeeper.Equal(state.ZooKeeper) {
		return false
	}
	var ignored diag.Diagnostics // ModifyPlan has them
	before := plan.place()
	before.zookeeper = state.ZooKeeper
	now, ok := r.client.locate(plan.place(), &ignored)
	then, known := r.client.locate(before, &ignored)
	return !ok || !known || now.dir != then.dir || !haveCommon(now.ensemble.Servers, then.ensemble.Servers)
}

// replacesItself adds an error if the plan wants a new object in place of one that has
// the same durable lock: with create_before_destroy, which a lock also inherits from what
// depends on it, the new one would wait for its own former znode. Whether it has that is
// not known here. For the plan of a new object the private state is the former one's.
func (r *lockResource) replacesItself(ctx context.Context, plan lockResourceModel, private privateReader, diags *diag.Diagnostics) {
	var taken takenAt
	diags.Append(getPrivate(ctx, private, privatePlace, &taken)...)
	if !taken.Durable {
		return
	}
	var ignored diag.Diagnostics // ModifyPlan has them
	t, ok := r.client.locate(plan.place(), &ignored)
	if !ok || t.dir != path.Dir(taken.Znode) || !haveCommon(t.ensemble.Servers, taken.Servers) {
		return
	}
	diags.AddAttributeError(tfpath.Root("lockid"), "Durable Lock Cannot Replace Itself",
		fmt.Sprintf("Lock %q is durable, and this resource holds it, as %s. A new object that takes the same lock would wait for this one, "+
			"which Terraform may destroy only afterwards: if this resource, or one that depends on it, has create_before_destroy.\n\n"+
			"To release the lock and take it anew, destroy this resource (terraform destroy -target=ADDRESS, where ADDRESS is its address, such as clocker_lock.NAME), and apply. "+
			"Leave out -replace, and replace_triggered_by in its lifecycle. Another mode, slots, layout or hold_until needs no replacement.", t.lockID, taken.Znode))
}

// isDurable tells whether a znode is a durable lock.
func isDurable(e locker.Entry) bool { return e.Data.Durable && e.Session == 0 }

// haveCommon tells whether one server is in both lists. The order of a connect string
// says nothing, and servers come and go.
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
