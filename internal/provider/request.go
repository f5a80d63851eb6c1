// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/clocker/terraform-provider-clocker/internal/holder"
	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// lockModel is the part of a model that every block which takes a lock has. Null is the
// default of each argument; of ZooKeeper and Layout it is the provider's.
type lockModel struct {
	LockID    types.String `tfsdk:"lockid"`
	Lockwait  types.Int64  `tfsdk:"lockwait"`
	ZooKeeper types.String `tfsdk:"zookeeper"`
	Mode      types.String `tfsdk:"mode"`
	Slots     types.Int64  `tfsdk:"slots"`
	Layout    types.String `tfsdk:"layout"`
	OnLost    types.String `tfsdk:"on_lost"`
	MaxHold   types.Int64  `tfsdk:"max_hold"`
	Info      types.String `tfsdk:"info"`
}

// heldModel is the part of a model that says whether the lock is held.
type heldModel struct {
	Required     types.Bool   `tfsdk:"required"`
	Held         types.Bool   `tfsdk:"held"`
	Znode        types.String `tfsdk:"znode"`
	FencingToken types.Int64  `tfsdk:"fencing_token"`
}

// optional tells whether the run goes on without the lock.
func (m *heldModel) optional() bool { return !orElseBool(m.Required, defaultRequired) }

func (m *heldModel) setHeld(grant holder.Grant) {
	m.Held, m.Znode, m.FencingToken = types.BoolValue(true), types.StringValue(grant.Znode), types.Int64Value(grant.Token)
}

func (m *heldModel) setFree() {
	m.Held, m.Znode, m.FencingToken = types.BoolValue(false), types.StringNull(), types.Int64Null()
}

// lookModel is for a block that only looks at a lock. It creates no node, so the provider's
// layout, which not every lock can have, does not matter.
func lookModel(lockID, zookeeper types.String, slots types.Int64) lockModel {
	return lockModel{LockID: lockID, ZooKeeper: zookeeper, Slots: slots, Layout: types.StringValue(string(locker.Standard))}
}

// request turns the arguments of a block into a request. ok is false with an error on
// the attribute at fault, or without one while a value is not known yet.
func (c *client) request(m lockModel, diags *diag.Diagnostics) (req holder.Request, ok bool) {
	servers, ok := c.servers(m.ZooKeeper, diags)
	if !ok {
		return req, false
	}
	layout := m.Layout
	if layout.IsNull() {
		layout = c.settings.layout
	}
	wait := locker.NoLimit
	if seconds := orElse64(m.Lockwait, defaultLockwait); seconds >= 0 {
		wait = time.Duration(seconds) * time.Second
	}
	lock := locker.Request{
		LockID: m.LockID.ValueString(),
		Wait:   wait,
		Mode:   locker.Mode(orElse(m.Mode, string(defaultMode))),
		Slots:  int(m.Slots.ValueInt64()),
		Layout: locker.Layout(orElse(layout, string(defaultLayout))),
		Data: locker.Data{
			Owner:  c.settings.owner,
			Info:   m.Info.ValueString(),
			Client: "terraform-provider-clocker/" + c.version,
		},
	}
	if lock.Layout == locker.Curator && (lock.Mode != locker.Exclusive || lock.Slots > 0) {
		diags.AddAttributeError(path.Root("layout"), "Layout For Exclusive Locks Only",
			fmt.Sprintf("The layout %q is for locks that are shared with Curator's InterProcessMutex, which knows neither shared locks nor semaphores. "+
				"Leave out mode and slots, or set layout = %q.", locker.Curator, locker.Standard))
		return req, false
	}
	if servers.IsUnknown() || m.LockID.IsUnknown() || c.settings.lockRoot.IsUnknown() || c.settings.security.unknown {
		return req, false
	}
	connect, ok := parseConnectString(servers, diags)
	if !ok {
		return req, false
	}
	if k := c.settings.security.sasl.kerberos; k != nil {
		if err := k.CheckServers(connect.Servers); err != nil {
			diags.AddAttributeError(path.Root(settingZooKeeper.attribute), "Server Without A Name", err.Error())
			return req, false
		}
	}
	root := locker.DefaultRoot
	if lock.Slots > 0 {
		root = locker.DefaultSemaphoreRoot
	}
	lock.Dir = locker.Directory(connect.Chroot, orElse(c.settings.lockRoot, root), lock.LockID)
	if err := locker.ValidateDirectory(lock.Dir); err != nil {
		diags.AddAttributeError(path.Root("lockid"), "No Place For A Lock",
			fmt.Sprintf("Lock %s cannot be kept there: %v. Choose another lockid, another lock_root of the provider, or another chroot in zookeeper.", zookeeper.Quote(lock.LockID), err))
		return req, false
	}
	c.warnOfPlainText(connect.Servers, diags)
	return holder.Request{
		Ensemble:  c.ensemble(connect.Servers),
		Lock:      lock,
		Interrupt: onLost(orElse(m.OnLost, string(defaultLoss))) == interrupt,
		MaxHold:   time.Duration(m.MaxHold.ValueInt64()) * time.Second,
	}, true
}

// requestNow is request where a value that is not known yet is an error.
func (c *client) requestNow(m lockModel, diags *diag.Diagnostics) (req holder.Request, ok bool) {
	req, ok = c.request(m, diags)
	if !ok {
		unknownZooKeeper(diags)
	}
	return req, ok
}

// unknownZooKeeper is the error where only a value that is not known yet is missing.
func unknownZooKeeper(diags *diag.Diagnostics) {
	if !diags.HasError() {
		diags.AddAttributeError(path.Root(settingZooKeeper.attribute), "ZooKeeper Not Known Yet",
			"The zookeeper argument of this block or of the provider, or another argument of the provider, is known only after apply, but is needed now. Set it to a value that is known at plan.")
	}
}

// servers is the connect string of a block, or else the provider's.
func (c *client) servers(own types.String, diags *diag.Diagnostics) (servers types.String, ok bool) {
	servers = own
	if servers.IsNull() {
		servers = c.settings.zookeeper
	}
	if servers.IsNull() {
		diags.AddAttributeError(path.Root(settingZooKeeper.attribute), "No ZooKeeper Named",
			"Neither this block nor the provider says where ZooKeeper is. Set zookeeper here or in the provider block, or the environment variable "+
				settingZooKeeper.env[0]+", to a connect string such as zk1.example.com:2181. "+c.settings.unusable)
	}
	return servers, !servers.IsNull()
}

func parseConnectString(servers types.String, diags *diag.Diagnostics) (connect zookeeper.ConnectString, ok bool) {
	connect, err := zookeeper.ParseConnectString(servers.ValueString())
	if err != nil {
		diags.AddAttributeError(path.Root(settingZooKeeper.attribute), "Invalid Connect String", err.Error())
	}
	return connect, err == nil
}

// warnOfPlainText warns once if somebody on the network could act as the provider's user.
func (c *client) warnOfPlainText(servers []string, diags *diag.Diagnostics) {
	s := c.settings.security
	remote := slices.IndexFunc(servers, isRemote)
	if s.tls != nil || s.auth == (zookeeper.Digest{}) && s.sasl.none() && !s.creator || remote < 0 {
		return
	}
	c.plainText.Do(func() {
		what := fmt.Sprintf("acl is %q, but everyone who can change what goes over the network can act as this user, and take or break each of its locks.", aclCreator)
		switch {
		case !s.sasl.none():
			what = "SASL proves who both sides are, but encrypts nothing: everyone who can change what goes over the network can act as this user, and take or break each of its locks."
		case s.auth != (zookeeper.Digest{}):
			what = "Everyone who listens on the network learns the password, and can take or break each of this user's locks."
		}
		diags.AddAttributeWarning(path.Root(settingZooKeeper.attribute), "Connection Is Not Encrypted",
			fmt.Sprintf("The connection to %s is in plain text. %s Set tls, or one of its environment variables, and connect to the servers' secureClientPort.", servers[remote], what))
	})
}

// isRemote tells whether a server is on another machine, as far as its name says.
func isRemote(server string) bool {
	host, _, err := net.SplitHostPort(server)
	ip := net.ParseIP(host)
	return err == nil && host != "localhost" && (ip == nil || !ip.IsLoopback())
}
