// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/clocker/terraform-provider-clocker/internal/holder"
	"github.com/clocker/terraform-provider-clocker/internal/locker"
)

// take takes the lock. held is false with a warning if somebody else has a lock that is
// optional, and with an error otherwise. If the request has no function that is told of the
// wait, the user's terminal is.
func (c *client) take(ctx context.Context, req holder.Request, diags *diag.Diagnostics) (grant holder.Grant, held bool) {
	lock := &req.Lock
	c.warnOfTicket(lock.Wait, diags)
	tell := lock.Waiting
	req.Announce = tell == nil && holder.ShowsProgress()
	start, queued := time.Now(), false
	lock.Waiting = func(w locker.Waiting) {
		message, fields := holder.Waiting(lock.LockID, w, start, queued)
		queued = queued || w.Place > 0
		tflog.Info(ctx, message, fields)
		if tell != nil {
			tell(w)
		}
	}
	seconds := int64(-1)
	if lock.Wait != locker.NoLimit {
		seconds = int64(lock.Wait.Seconds())
	}
	tflog.Info(ctx, "taking lock", map[string]any{"lockid": lock.LockID, "directory": lock.Dir, "lockwait": seconds})
	grant, err := c.runtime.Holder.Acquire(ctx, req)
	c.notes(diags)
	var busy *locker.BusyError
	var deadlock *locker.DeadlockError
	const goesOn = "\n\nrequired is false, so the run goes on with held = false."
	switch {
	case err == nil:
		if grant.SessionTimeout != req.Ensemble.SessionTimeout {
			tflog.Info(ctx, "the server granted another session timeout", map[string]any{
				"session_timeout": req.Ensemble.SessionTimeout.String(), "granted": grant.SessionTimeout.String(),
			})
		}
		tflog.Info(ctx, "lock held", map[string]any{"lockid": lock.LockID, "znode": grant.Znode, "fencing_token": grant.Token, "waited": holder.Waited(start)})
		return grant, true
	case errors.As(err, &deadlock) && req.Optional:
		diags.AddAttributeWarning(path.Root("lockid"), "Lock Not Held", deadlockDetail(lock.LockID, deadlock)+goesOn)
	case errors.As(err, &busy) && req.Optional:
		diags.AddAttributeWarning(path.Root("lockid"), "Lock Not Held", busyDetail(busy)+goesOn)
	default:
		diags.Append(explain(taking, req, err))
	}
	return holder.Grant{}, false
}

// release releases a grant of the lock, and returns the holder's error.
func (c *client) release(ctx context.Context, req holder.Request, znode holder.Znode, diags *diag.Diagnostics) error {
	err := c.runtime.Holder.Release(ctx, znode)
	c.notes(diags)
	var lost *holder.LostError
	switch {
	case err == nil:
		tflog.Info(ctx, "lock released", map[string]any{"lockid": req.Lock.LockID, "znode": znode.Path})
	case errors.As(err, &lost):
		tflog.Warn(ctx, "lock lost", map[string]any{"lockid": req.Lock.LockID, "znode": znode.Path, "at": lost.At.Format(time.RFC3339), "cause": lost.Cause})
	}
	return err
}

// warnOfOnLost warns if a run that loses the lock cannot be interrupted on this system.
func (c *client) warnOfOnLost(value types.String, diags *diag.Diagnostics) {
	if c.runtime.NoInterrupt && onLost(orElse(value, string(defaultLoss))) == interrupt {
		diags.AddAttributeWarning(path.Root("on_lost"), "Run Cannot Be Interrupted",
			fmt.Sprintf("on_lost is %q, but no process can be interrupted on this system. A run that loses the lock goes on. Only an ephemeral block tells you, with an error when it releases the lock, and the log that "+holder.EnvLogPath+" names.\n\n"+
				"Let what the lock guards reject the lower fencing_token. Set on_lost = %q to turn this warning off.", interrupt, carryOn))
	}
}

// warnOfTicket warns if the Kerberos ticket can end before the wait for the lock.
func (c *client) warnOfTicket(wait time.Duration, diags *diag.Diagnostics) {
	end := c.settings.security.sasl.cacheEnd
	if end.IsZero() || wait != locker.NoLimit && time.Now().Add(wait).Before(end) {
		return
	}
	diags.AddAttributeWarning(path.Root("lockwait"), "Kerberos Ticket May End First",
		fmt.Sprintf("The ticket in the credential cache ends at %s, and the run may wait for the lock longer than that. If its connection to ZooKeeper breaks after that, it cannot connect again. "+
			"Log in again with kinit in time: the cache is read at each connection. Or use keytab_file in the kerberos block.", end.Format(time.RFC3339)))
}
