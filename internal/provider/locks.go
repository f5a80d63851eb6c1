// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// rootsText says where the blocks that list locks look.
const rootsText = "It looks below the provider's `lock_root`, or without one below both default roots: that of plain locks, and that of semaphores."

// listModel is the part of a model that every block which lists locks has.
type listModel struct {
	Prefix    types.String `tfsdk:"prefix"`
	ZooKeeper types.String `tfsdk:"zookeeper"`
}

// lockRoots says where to look for locks.
type lockRoots struct {
	ensemble zookeeper.Config
	servers  types.String // the connect string
	paths    []string     // absolute
}

// roots finds out where a block that lists locks has to look. ok is false with an error,
// or without one while a value is not known yet.
func (c *client) roots(own types.String, diags *diag.Diagnostics) (r lockRoots, ok bool) {
	if r.servers, ok = c.servers(own, diags); !ok {
		return r, false
	}
	if r.servers.IsUnknown() || c.settings.lockRoot.IsUnknown() || c.settings.security.unknown {
		return r, false
	}
	connect, ok := parseConnectString(r.servers, diags)
	if !ok {
		return r, false
	}
	r.ensemble = c.ensemble(connect.Servers)
	c.warnOfPlainText(connect.Servers, diags)
	roots := []string{locker.DefaultRoot, locker.DefaultSemaphoreRoot}
	if !c.settings.lockRoot.IsNull() {
		roots = []string{c.settings.lockRoot.ValueString()}
	}
	for _, root := range roots {
		r.paths = append(r.paths, locker.RootPath(connect.Chroot, root))
	}
	return r, true
}

// listNow lists the locks that a block asks for. ok is false with an error.
func (c *client) listNow(ctx context.Context, m listModel, diags *diag.Diagnostics) (r lockRoots, locks []locker.Listed, ok bool) {
	r, ok = c.roots(m.ZooKeeper, diags)
	if !ok {
		unknownZooKeeper(diags)
		return r, nil, false
	}
	locks, err := c.list(ctx, r, m.Prefix.ValueString())
	if err != nil {
		diags.Append(explainList(r, err))
	}
	return r, locks, err == nil
}

// list lists the locks below the roots.
func (c *client) list(ctx context.Context, r lockRoots, prefix string) (locks []locker.Listed, err error) {
	err = c.look(ctx, r.ensemble, func(ctx context.Context, s *zookeeper.Session) error {
		locks, err = locker.List(ctx, s, r.paths, prefix)
		return err
	})
	return locks, err
}

// explainList turns an error about a list of locks into a diagnostic.
func explainList(r lockRoots, err error) diag.Diagnostic {
	return clean(listExplanation(r, err))
}

func listExplanation(r lockRoots, err error) diag.Diagnostic {
	var connect *zookeeper.ConnectError
	could, origin := "Could not list the locks below "+strings.Join(r.paths, " and "), fmt.Sprintf("\n\nError: %v", err)
	switch {
	case errors.As(err, &connect):
		return diag.NewAttributeErrorDiagnostic(path.Root(settingZooKeeper.attribute), "ZooKeeper Cannot Be Reached",
			fmt.Sprintf("%s: could not connect to %s.\n\n%s\n\nCause: %v", could, strings.Join(connect.Servers, ", "), cmp.Or(connect.Hint, checkConnection), connect.Cause))
	case errors.Is(err, zookeeper.ErrNoAuth):
		return diag.NewErrorDiagnostic("No Permission For Lock Root",
			fmt.Sprintf("%s: ZooKeeper does not let this client list them. %s%s", could, whoWeAre(r.ensemble), origin))
	case errors.Is(err, zookeeper.ErrAuthRequired):
		return diag.NewErrorDiagnostic("Authentication Required", fmt.Sprintf("%s: %s%s", could, howToAuthenticate(r.ensemble), origin))
	default:
		return diag.NewErrorDiagnostic("Locks Not Listed", could+"."+origin)
	}
}
