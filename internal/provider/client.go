package provider

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
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
	runtime   Runtime
	version   string
	settings  settings
	plainText sync.Once // the user was warned
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

// place is what a block says of which lock it means.
type place struct {
	lockID    types.String
	zookeeper types.String // null for the provider's
	mode      types.String // null for the default
	slots     types.Int64  // null for a plain lock
	layout    types.String // null for the provider's
}

// target is a lock and where it is.
type target struct {
	ensemble zookeeper.Config
	lockID   string
	dir      string
	mode     locker.Mode
	slots    int
	layout   locker.Layout
	durable  bool // it is held, and in the state, until it is destroyed
}

// locate finds out which lock a block means: its own zookeeper argument goes
// before the provider's. ok is false with an error on the attribute at fault,
// or, without one, while a value is not known yet.
func (c *client) locate(p place, diags *diag.Diagnostics) (t target, ok bool) {
	servers, ok := c.servers(p.zookeeper, diags)
	if !ok {
		return t, false
	}
	layout := p.layout
	if layout.IsNull() {
		layout = c.settings.layout
	}
	t = target{
		lockID: p.lockID.ValueString(),
		mode:   locker.Mode(orElse(p.mode, string(defaultMode))),
		slots:  int(p.slots.ValueInt64()),
		layout: locker.Layout(orElse(layout, string(defaultLayout))),
	}
	if t.layout == locker.Curator && (t.mode != locker.Exclusive || t.slots > 0) {
		diags.AddAttributeError(path.Root("layout"), "Layout For Exclusive Locks Only",
			fmt.Sprintf("The layout %q is read by Curator's InterProcessMutex, which knows neither shared locks nor semaphores. "+
				"Leave out mode and slots, or set layout = %q.", locker.Curator, locker.Standard))
		return t, false
	}
	if servers.IsUnknown() || p.lockID.IsUnknown() || c.settings.lockRoot.IsUnknown() || c.settings.security.unknown {
		return t, false
	}
	connect, ok := parseConnectString(servers, diags)
	if !ok {
		return t, false
	}
	if k := c.settings.security.sasl.kerberos; k != nil {
		if err := k.CheckServers(connect.Servers); err != nil {
			diags.AddAttributeError(path.Root(settingZooKeeper.attribute), "Server Without A Name", err.Error())
			return t, false
		}
	}
	root := locker.DefaultRoot
	if t.slots > 0 {
		root = locker.DefaultSemaphoreRoot
	}
	t.ensemble = c.ensemble(connect.Servers)
	t.dir = locker.Directory(connect.Chroot, orElse(c.settings.lockRoot, root), t.lockID)
	if err := locker.ValidateDirectory(t.dir); err != nil {
		diags.AddAttributeError(path.Root("lockid"), "No Place For A Lock",
			fmt.Sprintf("Lock %s cannot be kept there: %v. Choose another lockid, lock_root of the provider, or chroot behind the servers in zookeeper.", zookeeper.Quote(t.lockID), err))
		return t, false
	}
	c.warnOfPlainText(connect.Servers, diags)
	return t, true
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

// warnOfPlainText says once that a user is known on the network to all who listen.
func (c *client) warnOfPlainText(servers []string, diags *diag.Diagnostics) {
	s := c.settings.security
	remote := slices.IndexFunc(servers, isRemote)
	if s.tls != nil || s.auth == (zookeeper.Digest{}) && s.sasl.none() && !s.creator || remote < 0 {
		return
	}
	c.plainText.Do(func() {
		what := fmt.Sprintf("acl is %q, but whoever can change what goes over the network can act as this user, and take or break each of its locks.", aclCreator)
		switch {
		case !s.sasl.none():
			what = "SASL proves who both sides are, but encrypts nothing: somebody who can change what goes over the network can act as this user, and take or break each of its locks."
		case s.auth != (zookeeper.Digest{}):
			what = "Whoever listens on the network hears the password, and can take or break each of this user's locks."
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

// ensemble is how the provider is configured to connect to servers.
func (c *client) ensemble(servers []string) zookeeper.Config {
	return zookeeper.Config{
		Servers:        servers,
		SessionTimeout: c.settings.sessionTimeout,
		ConnectTimeout: c.settings.connectTimeout,
		Auth:           c.settings.security.auth,
		SASL:           c.settings.security.sasl.md5,
		Kerberos:       c.settings.security.sasl.kerberos,
		TLS:            c.settings.security.tls,
		Creator:        c.settings.security.creator,
	}
}

// unknownZooKeeper is the error where a lock could not be located for nothing
// but a value that is not known yet.
func unknownZooKeeper(diags *diag.Diagnostics) {
	if !diags.HasError() {
		diags.AddAttributeError(path.Root(settingZooKeeper.attribute), "ZooKeeper Not Known Yet",
			"The zookeeper argument of this block or the provider, or another argument of the provider, is not known before apply, but is needed now. Set it to a value that is known at plan.")
	}
}

// want is how to take a lock.
type want struct {
	lockwait types.Int64  // null for the default
	required types.Bool   // null for the default
	onLost   types.String // null for the default
	info     types.String
	maxHold  types.Int64 // null for no limit
	durable  bool
	waiting  func(locker.Waiting) // nil: only the log is told
}

// take acquires the lock through the holder. held is false, with a warning, if
// someone else has a lock that is not required, and with an error otherwise.
func (c *client) take(ctx context.Context, t target, want want, diags *diag.Diagnostics) (grant holder.Grant, held bool) {
	seconds := orElse64(want.lockwait, defaultLockwait)
	wait := time.Duration(seconds) * time.Second
	if seconds < 0 {
		wait = locker.NoLimit
	}
	optional := !want.required.IsNull() && !want.required.ValueBool()
	c.warnOfTicket(wait, diags)
	start, queued := time.Now(), false
	tflog.Info(ctx, "taking lock", map[string]any{"lockid": t.lockID, "directory": t.dir, "lockwait": seconds})
	grant, err := c.runtime.Holder.Acquire(ctx, holder.Request{
		Ensemble:  t.ensemble,
		Interrupt: onLost(orElse(want.onLost, string(defaultLoss))) == interrupt,
		Optional:  optional,
		MaxHold:   time.Duration(want.maxHold.ValueInt64()) * time.Second,
		Announce:  want.waiting == nil && holder.ShowsProgress(),
		Lock: locker.Request{
			LockID:  t.lockID,
			Dir:     t.dir,
			Wait:    wait,
			Mode:    t.mode,
			Slots:   t.slots,
			Layout:  t.layout,
			Durable: want.durable,
			Waiting: func(w locker.Waiting) {
				message, fields := holder.Waiting(t.lockID, w, start, queued)
				queued = queued || w.Place > 0
				tflog.Info(ctx, message, fields)
				if want.waiting != nil {
					want.waiting(w)
				}
			},
			Data: locker.Data{
				Owner:  c.settings.owner,
				Info:   want.info.ValueString(),
				Client: "terraform-provider-clocker/" + c.version,
			},
		},
	})
	c.notes(diags)
	var busy *locker.BusyError
	var deadlock *locker.DeadlockError
	switch {
	case err == nil:
		if grant.SessionTimeout != t.ensemble.SessionTimeout {
			tflog.Info(ctx, "the server granted another session timeout", map[string]any{
				"session_timeout": t.ensemble.SessionTimeout.String(), "granted": grant.SessionTimeout.String(),
			})
		}
		tflog.Info(ctx, "lock held", map[string]any{"lockid": t.lockID, "znode": grant.Znode, "fencing_token": grant.Token, "waited": holder.Waited(start)})
		return grant, true
	case errors.As(err, &deadlock) && optional:
		diags.AddAttributeWarning(path.Root("lockid"), "Lock Not Held", deadlockDetail(t.lockID, deadlock)+"\n\nrequired is false, so the run goes on with held = false.")
	case errors.As(err, &busy) && optional:
		diags.AddAttributeWarning(path.Root("lockid"), "Lock Not Held", busyDetail(busy)+"\n\nrequired is false, so the run goes on with held = false.")
	default:
		diags.Append(explain(taking, t, err))
	}
	return holder.Grant{}, false
}

// notes adds what the holder could not tell the user otherwise.
func (c *client) notes(diags *diag.Diagnostics) {
	if c.runtime.Notes == nil {
		return
	}
	for _, note := range c.runtime.Notes() {
		diags.AddWarning("Message Of The Lock Holder", note)
	}
}

// warnOfOnLost says that a run which loses the lock will not be interrupted, where
// that cannot be done.
func (c *client) warnOfOnLost(value types.String, diags *diag.Diagnostics) {
	if c.runtime.NoInterrupt && onLost(orElse(value, string(defaultLoss))) == interrupt {
		diags.AddAttributeWarning(path.Root("on_lost"), "Run Cannot Be Interrupted",
			fmt.Sprintf("on_lost is %q, but no process can be interrupted on this system. A run that loses the lock goes on, and only an ephemeral block says so, with an error when it releases the lock; the log named by "+holder.EnvLogPath+" says it, too.\n\n"+
				"Let what the lock guards reject the lower fencing_token. Set on_lost = %q to say that this is known.", interrupt, carryOn))
	}
}

// warnOfTicket says that the Kerberos ticket ends before the wait for the lock may.
func (c *client) warnOfTicket(wait time.Duration, diags *diag.Diagnostics) {
	end := c.settings.security.sasl.cacheEnd
	if end.IsZero() || wait != locker.NoLimit && time.Now().Add(wait).Before(end) {
		return
	}
	diags.AddAttributeWarning(path.Root("lockwait"), "Kerberos Ticket May End First",
		fmt.Sprintf("The ticket in the credential cache ends at %s, and the run may wait for the lock longer than that. Should its connection to ZooKeeper break after that, it cannot be made again. "+
			"Log in again with kinit before: the cache is read again at each connection. Or use keytab_file in the kerberos block.", end.Format(time.RFC3339)))
}

// release gives the lock up through the holder, and returns its error.
func (c *client) release(ctx context.Context, t target, znode holder.Znode, diags *diag.Diagnostics) error {
	err := c.runtime.Holder.Release(ctx, znode)
	c.notes(diags)
	var lost *holder.LostError
	switch {
	case err == nil:
		tflog.Info(ctx, "lock released", map[string]any{"lockid": t.lockID, "znode": znode.Path})
	case errors.As(err, &lost):
		tflog.Warn(ctx, "lock lost", map[string]any{"lockid": t.lockID, "znode": znode.Path, "at": lost.At.Format(time.RFC3339), "cause": lost.Cause})
	}
	return err
}

// errNoLook is why a look at a lock was given up.
var errNoLook = errors.New("ZooKeeper did not answer in time")

// answerTime is how long a look waits for answers, at least.
const answerTime = 10 * time.Second

// look does something that only reads. It is bounded by the time to connect, which
// has an error of its own, and as much again for the answers.
func (c *client) look(ctx context.Context, ensemble zookeeper.Config, do func(context.Context, *zookeeper.Session) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, ensemble.ConnectTimeout+max(ensemble.ConnectTimeout, answerTime), errNoLook)
	defer cancel()
	session, err := c.runtime.Sessions.Session(ctx, ensemble)
	if err != nil {
		return err
	}
	return do(ctx, session)
}

// lookup reads the contender at znode, with ok = false if it is not there.
func (c *client) lookup(ctx context.Context, t target, znode string) (entry locker.Entry, ok bool, err error) {
	err = c.look(ctx, t.ensemble, func(ctx context.Context, s *zookeeper.Session) error {
		entry, ok, err = locker.Lookup(ctx, s, znode)
		return err
	})
	return entry, ok, err
}

// inspect looks at the lock.
func (c *client) inspect(ctx context.Context, t target) (queue locker.Queue, err error) {
	err = c.look(ctx, t.ensemble, func(ctx context.Context, s *zookeeper.Session) error {
		queue, err = locker.Inspect(ctx, s, t.dir, t.slots)
		return err
	})
	return queue, err
}
