// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/clocker/terraform-provider-clocker/internal/holder"
	"github.com/clocker/terraform-provider-clocker/internal/locker"
)

// Client is the provider for the commands of its executable. Only the environment
// variables configure it.
type Client struct {
	client
	warn func(string)
}

// NewClient reads the environment. The error is a [*ProblemsError]. warn is called with
// what would be a warning in Terraform.
func NewClient(ctx context.Context, version string, warn func(string)) (*Client, error) {
	var diags diag.Diagnostics
	c := &Client{client{version: version, settings: resolve(ctx, providerModel{}, &diags)}, warn}
	return c, c.problems(diags)
}

// problems passes the warnings on, and returns the errors as one error, or nil if there
// are none.
func (c *Client) problems(diags diag.Diagnostics) error {
	for _, d := range diags.Warnings() {
		c.warn(inWords(d))
	}
	if errs := diags.Errors(); len(errs) > 0 {
		return &ProblemsError{errs}
	}
	return nil
}

// ProblemsError is what Terraform would show as errors of a block.
type ProblemsError struct{ diags diag.Diagnostics }

// Error has all of them in full, for a terminal.
func (e *ProblemsError) Error() string {
	all := make([]string, len(e.diags))
	for i, d := range e.diags {
		all[i] = inWords(d)
	}
	return strings.Join(all, "\n\n")
}

// environmentOnly are the arguments that no command has a flag for. An error about one
// names the environment variable.
var environmentOnly = []string{
	settingSessionTimeout.attribute, settingConnectTimeout.attribute, settingLockRoot.attribute, settingLayout.attribute, settingOwner.attribute,
	settingUsername.attribute, settingPassword.attribute, settingACL.attribute,
	"tls", blockKerberos, blockDigestMD5,
}

// inWords is a diagnostic with the flag that it is about.
func inWords(d diag.Diagnostic) string {
	about := ""
	if at, ok := d.(diag.DiagnosticWithPath); ok {
		attribute, _, _ := strings.Cut(at.Path().String(), ".")
		if !slices.Contains(environmentOnly, attribute) {
			about = fmt.Sprintf(" (--%s)", strings.ReplaceAll(attribute, "_", "-"))
		}
	}
	return fmt.Sprintf("%s%s\n\n%s", d.Summary(), about, strings.TrimSpace(d.Detail()))
}

// secrets are the arguments whose environment variables can hold a secret.
var secrets = []setting{settingPassword, settingKey, settingKeytab, settingKerberosPass, settingMD5Password}

// WithoutSecrets is an environment for a process that needs no secrets.
func WithoutSecrets(environment []string) []string {
	return slices.DeleteFunc(slices.Clone(environment), func(assignment string) bool {
		name, _, _ := strings.Cut(assignment, "=")
		return slices.ContainsFunc(secrets, func(s setting) bool { return slices.Contains(s.env, name) })
	})
}

// Locks are the locks that a command takes, as its flags say.
type Locks struct {
	ids []string
	all lockModel // what is the same for all of them
}

// Flags adds the flags to a set.
func (l *Locks) Flags(set *flag.FlagSet) {
	set.Func("lockid", "The lock's `name`. Repeat it for several locks: they are taken in that order, all or none.", func(s string) error {
		l.ids = append(l.ids, s)
		return nil
	})
	text := func(name, usage string, to *types.String) {
		set.Func(name, usage, func(s string) error {
			*to = types.StringValue(s)
			return nil
		})
	}
	number := func(name, usage string, to *types.Int64) {
		set.Func(name, usage, func(s string) error {
			n, err := strconv.ParseInt(s, 10, 64)
			if err != nil {
				return errors.New("it is not a whole number")
			}
			*to = types.Int64Value(n)
			return nil
		})
	}
	number("lockwait", fmt.Sprintf("How many `seconds` to wait for each lock: 0 tries once, -1 waits without limit. Default %d.", defaultLockwait), &l.all.Lockwait)
	text("mode", fmt.Sprintf("How to hold the lock, `%s`: %s lets in others with that mode. Default %s.", strings.Join(names(modes), "|"), locker.Shared, defaultMode), &l.all.Mode)
	number("slots", fmt.Sprintf("At most this `number` (1 to %d) hold the lock at once. Not with --mode.", maxSlots), &l.all.Slots)
	text("on-lost", fmt.Sprintf("What to do if a lock is lost, `%s`. Default %s.", strings.Join(names(onLosts), "|"), defaultLoss), &l.all.OnLost)
	number("max-hold", "After how many `seconds` the command is interrupted, if it still holds the lock. Default: no limit.", &l.all.MaxHold)
	text("info", "Free `text`, shown to those who wait for the lock. Not for secrets.", &l.all.Info)
	text("zookeeper", fmt.Sprintf("The `servers` host[:port][,host[:port]...][/chroot]. Default: the environment variable %s.", strings.Join(settingZooKeeper.env, ", then ")), &l.all.ZooKeeper)
}

// Requests checks the flags, and returns a request for each lock, in their order. The
// error is a [*ProblemsError].
func (c *Client) Requests(ctx context.Context, l Locks) ([]holder.Request, error) {
	var diags diag.Diagnostics
	if len(l.ids) == 0 {
		diags.AddAttributeError(path.Root("lockid"), "No Lock Named", "Say which lock to take, such as --lockid web-rollout.")
	}
	for _, id := range l.ids {
		diags.Append(argLockID.checkString(ctx, "lockid", types.StringValue(id))...)
	}
	diags.Append(argZooKeeper.checkString(ctx, "zookeeper", l.all.ZooKeeper)...)
	diags.Append(argument{strings: []validator.String{oneOf(modes)}}.checkString(ctx, "mode", l.all.Mode)...)
	diags.Append(argOnLost.checkString(ctx, "on_lost", l.all.OnLost)...)
	diags.Append(argInfo.checkString(ctx, "info", l.all.Info)...)
	diags.Append(argLockwait.checkNumber(ctx, "lockwait", l.all.Lockwait)...)
	diags.Append(argMaxHold.checkNumber(ctx, "max_hold", l.all.MaxHold)...)
	diags.Append(argSlots.checkNumber(ctx, "slots", l.all.Slots)...)
	if !l.all.Mode.IsNull() && !l.all.Slots.IsNull() {
		diags.AddAttributeError(path.Root("slots"), "Mode And Slots", "A lock has a mode or a number of slots, not both. Leave out one of the two.")
	}
	if err := c.problems(diags); err != nil {
		return nil, err
	}
	var requests []holder.Request
	for _, id := range l.ids {
		m := l.all
		m.LockID = types.StringValue(id)
		if req, ok := c.request(m, &diags); ok {
			requests = append(requests, req)
		}
	}
	return requests, c.problems(diags)
}

// Held is a lock that was taken.
type Held struct {
	req   holder.Request
	grant holder.Grant
}

// Take takes a lock from the holder. The error is a [*ProblemsError].
func (c *Client) Take(ctx context.Context, h holder.Holder, req holder.Request) (Held, error) {
	var diags diag.Diagnostics
	c.runtime.Holder = h
	grant, _ := c.take(ctx, req, &diags)
	return Held{req, grant}, c.problems(diags)
}

// Release releases it. lost says that it was lost before, or that the holder process has
// ended, which may have been before. Then the error says so, too.
func (c *Client) Release(ctx context.Context, held Held) (lost bool, err error) {
	var diags diag.Diagnostics
	znode := holder.Znode{Ensemble: held.req.Ensemble, Path: held.grant.Znode, Grant: held.grant.ID}
	if err := c.release(ctx, held.req, znode, &diags); err != nil {
		lost = errors.As(err, new(*holder.LostError)) || errors.Is(err, holder.ErrEnded)
		diags.Append(explain(releasing, held.req, err))
	}
	return lost, c.problems(diags)
}
