package provider

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/clocker/terraform-provider-clocker/internal/holder"
	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// client is the configured provider, which every block works with.
type client struct {
	runtime  Runtime
	version  string
	settings settings
}

// configured takes the provider's data in a block's Configure; nil while
// Terraform only validates.
func configured(data any, diags *diag.Diagnostics) *client {
	if data == nil {
		return nil
	}
	c, ok := data.(*client)
	if !ok {
		diags.AddError("Unexpected Provider Data", fmt.Sprintf("Got %T. This is a bug in the provider.", data))
	}
	return c
}

// target is a lock and where it is.
type target struct {
	ensemble zookeeper.Config
	lockID   string
	dir      string
}

// locate finds out which lock a block means: its own zookeeper argument goes
// before the provider's. ok is false with an error on the attribute at fault,
// or, without one, while a value is not known yet.
func (c *client) locate(lockID, blockZooKeeper types.String, diags *diag.Diagnostics) (t target, ok bool) {
	servers := blockZooKeeper
	if servers.IsNull() {
		servers = c.settings.zookeeper
	}
	if servers.IsNull() {
		diags.AddAttributeError(path.Root(settingZooKeeper.attribute), "No ZooKeeper Named",
			"Neither this block nor the provider says where ZooKeeper is. Set zookeeper here or in the provider block, or the environment variable "+
				settingZooKeeper.env[0]+", to a connect string such as zk1.example.com:2181.")
		return t, false
	}
	if servers.IsUnknown() || lockID.IsUnknown() {
		return t, false
	}
	connect, err := zookeeper.ParseConnectString(servers.ValueString())
	if err != nil {
		diags.AddAttributeError(path.Root(settingZooKeeper.attribute), "Invalid Connect String", err.Error())
		return t, false
	}
	return target{
		ensemble: zookeeper.Config{
			Servers:        connect.Servers,
			SessionTimeout: c.settings.sessionTimeout,
			ConnectTimeout: c.settings.connectTimeout,
		},
		lockID: lockID.ValueString(),
		dir:    locker.Directory(connect.Chroot, c.settings.lockRoot, lockID.ValueString()),
	}, true
}

// acquire takes the lock through the holder. lockwait is in seconds, -1 without
// limit.
func (c *client) acquire(ctx context.Context, t target, lockwait int64, info string) (holder.Grant, error) {
	wait := time.Duration(lockwait) * time.Second
	if lockwait < 0 {
		wait = locker.NoLimit
	}
	tflog.Info(ctx, "taking lock", map[string]any{"lockid": t.lockID, "directory": t.dir, "lockwait": lockwait})
	grant, err := c.runtime.Holder.Acquire(ctx, holder.Request{
		Ensemble: t.ensemble,
		Lock: locker.Request{
			LockID: t.lockID,
			Dir:    t.dir,
			Wait:   wait,
			Data: locker.Data{
				Owner:  c.settings.owner,
				Info:   info,
				Client: "terraform-provider-clocker/" + c.version,
			},
		},
	})
	if err != nil {
		return grant, err
	}
	tflog.Info(ctx, "lock held", map[string]any{"lockid": t.lockID, "znode": grant.Znode, "fencing_token": grant.Token})
	return grant, nil
}

// inspect looks at the lock.
func (c *client) inspect(ctx context.Context, t target) (locker.Queue, error) {
	session, err := c.runtime.Sessions.Session(ctx, t.ensemble)
	if err != nil {
		return locker.Queue{}, err
	}
	return locker.Inspect(ctx, session, t.dir)
}
