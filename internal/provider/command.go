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

// Client is the provider for the commands of its executable: configured by nothing
// but the environment variables.
type Client struct {
	client
	warn func(string)
}

// NewClient reads the environment. The error is a [*ProblemsError]. warn is told what
// would be a warning of Terraform.
func NewClient(ctx context.Context, version string, warn func(string)) (*Client, error) {
	var diags diag.Diagnostics
	c := &Client{client{version: version, settings: resolve(ctx, providerModel{}, &diags)}, warn}
	return c, c.problems(diags)
}

// problems tells the warnings, and returns the errors as one error, nil if there are
// none.
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

// environmentOnly are the arguments that no command has a flag for. What is wrong with
// them names the environment variable.
var environmentOnly = []string{
	settingSessionTimeout.attribute, settingConnectTimeout.attribute, settingLockRoot.attribute, settingLayout.attribute, settingOwner.attribute,
	settingUsername.attribute, settingPassword.attribute, settingACL.attribute, "tls",
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

// checkString is what the validators of a block's argument say of a flag's value.
func checkString(ctx context.Context, attribute string, value types.String, validators []validator.String) diag.Diagnostics {
	resp := validator.StringResponse{}
	for _, v := range validators {
		v.ValidateString(ctx, validator.StringRequest{Path: path.Root(attribute), ConfigValue: value}, &resp)
	}
	return resp.Diagnostics
}

// checkNumber is checkString for a number.
func checkNumber(ctx context.Context, attribute string, value types.Int64, validators []validator.Int64) diag.Diagnostics {
	resp := validator.Int64Response{}
	for _, v := range validators {
		v.ValidateInt64(ctx, validator.Int64Request{Path: path.Root(attribute), ConfigValue: value}, &resp)
	}
	return resp.Diagnostics
}

// secrets are the arguments whose environment variables can hold a secret.
var secrets = []setting{settingPassword, settingKey}

// WithoutSecrets is an environment for a process that has no use for them.
func WithoutSecrets(environment []string) []string {
	return slices.DeleteFunc(slices.Clone(environment), func(assignment string) bool {
		name, _, _ := strings.Cut(assignment, "=")
		return slices.ContainsFunc(secrets, func(s setting) bool { return slices.Contains(s.env, name) })
	})
}

// Locks are the locks that a command takes, as its flags say it.
type Locks struct {
	ids                           []string
	zookeeper, mode, onLost, info types.String
	lockwait, slots, maxHold      types.Int64
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
	number("lockwait", fmt.Sprintf("How many `seconds` to queue for each lock: 0 tries once, -1 waits without limit. Default %d.", defaultLockwait), &l.lockwait)
	text("mode", fmt.Sprintf("How to hold the lock, `%s`: %s admits others with that mode. Default %s.", strings.Join(names(modes), "|"), locker.Shared, defaultMode), &l.mode)
	number("slots", fmt.Sprintf("At most this `number` (1 to %d) hold the lock at once. Not with --mode.", maxSlots), &l.slots)
	text("on-lost", fmt.Sprintf("What to do if a lock is lost, `%s`. Default %s.", strings.Join(names(onLosts), "|"), defaultLoss), &l.onLost)
	number("max-hold", "After how many `seconds` the command is interrupted, if it holds the lock still. Default: no limit.", &l.maxHold)
	text("info", "Free `text`, shown to whoever waits for the lock. Not for secrets.", &l.info)
	text("zookeeper", fmt.Sprintf("The `servers` host[:port][,host[:port]...][/chroot]. Default: the environment variable %s.", strings.Join(settingZooKeeper.env, ", then ")), &l.zookeeper)
}

// names are the values of an enumeration.
func names[T ~string](values []T) []string {
	all := make([]string, len(values))
	for i, v := range values {
		all[i] = string(v)
	}
	return all
}

// Lock is one of them.
type Lock struct {
	target
	want
}

// Locate checks the flags, and returns the locks in their order. The error is a
// [*ProblemsError].
func (c *Client) Locate(ctx context.Context, l Locks) ([]Lock, error) {
	var diags diag.Diagnostics
	if len(l.ids) == 0 {
		diags.AddAttributeError(path.Root("lockid"), "No Lock Named", "Say which lock to take, such as --lockid web-rollout.")
	}
	for _, id := range l.ids {
		diags.Append(checkString(ctx, "lockid", types.StringValue(id), lockIDValidators())...)
	}
	diags.Append(checkString(ctx, "zookeeper", l.zookeeper, connectStringValidators())...)
	diags.Append(checkString(ctx, "mode", l.mode, oneOf(modes))...)
	diags.Append(checkString(ctx, "on_lost", l.onLost, oneOf(onLosts))...)
	diags.Append(checkString(ctx, "info", l.info, infoValidators())...)
	diags.Append(checkNumber(ctx, "lockwait", l.lockwait, lockwaitValidators())...)
	diags.Append(checkNumber(ctx, "max_hold", l.maxHold, maxHoldValidators())...)
	diags.Append(checkNumber(ctx, "slots", l.slots, slotsValidators())...)
	if !l.mode.IsNull() && !l.slots.IsNull() {
		diags.AddAttributeError(path.Root("slots"), "Mode And Slots", "A lock has a mode or a number of slots, not both. Leave out one of the two.")
	}
	if err := c.problems(diags); err != nil {
		return nil, err
	}
	var locks []Lock
	for _, id := range l.ids {
		t, ok := c.locate(place{lockID: types.StringValue(id), zookeeper: l.zookeeper, mode: l.mode, slots: l.slots}, &diags)
		if ok {
			locks = append(locks, Lock{t, want{lockwait: l.lockwait, onLost: l.onLost, info: l.info, maxHold: l.maxHold}})
		}
	}
	return locks, c.problems(diags)
}

// Held is a lock that was taken.
type Held struct {
	lock  Lock
	grant holder.Grant
}

// Take takes a lock by the holder. The error is a [*ProblemsError].
func (c *Client) Take(ctx context.Context, h holder.Holder, l Lock) (Held, error) {
	var diags diag.Diagnostics
	c.runtime.Holder = h
	grant, _ := c.take(ctx, l.target, l.want, &diags)
	return Held{l, grant}, c.problems(diags)
}

// Release releases it. lost says that it was lost before, or that the process that held
// it has ended, which can have been before. The error says so, too.
func (c *Client) Release(ctx context.Context, held Held) (lost bool, err error) {
	var diags diag.Diagnostics
	znode := holder.Znode{Ensemble: held.lock.ensemble, Path: held.grant.Znode, Grant: held.grant.ID}
	if err := c.release(ctx, held.lock.target, znode, &diags); err != nil {
		lost = errors.As(err, new(*holder.LostError)) || errors.Is(err, holder.ErrEnded)
		diags.Append(explain(releasing, held.lock.target, err))
	}
	return lost, c.problems(diags)
}
