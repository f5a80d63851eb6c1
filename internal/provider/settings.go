// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

const (
	defaultSessionTimeout = 15 // seconds
	defaultConnectTimeout = 15 // seconds
	maxTimeout            = int64(zookeeper.MaxTimeout / time.Second)
)

// setting is a provider argument and the environment variables that stand in for it.
// The first one that is set counts.
type setting struct {
	attribute string
	env       []string
}

var (
	settingZooKeeper      = setting{"zookeeper", []string{"CLOCKER_ZOOKEEPER", "ZOOKEEPER_SERVERS"}}
	settingSessionTimeout = setting{"session_timeout", []string{"CLOCKER_SESSION_TIMEOUT"}}
	settingConnectTimeout = setting{"connect_timeout", []string{"CLOCKER_CONNECT_TIMEOUT"}}
	settingLockRoot       = setting{"lock_root", []string{"CLOCKER_LOCK_ROOT"}}
	settingLayout         = setting{"layout", []string{"CLOCKER_LAYOUT"}}
	settingOwner          = setting{"owner", []string{"CLOCKER_OWNER"}}
)

// names lists the environment variables for the documentation.
func (s setting) names() string {
	return "`" + strings.Join(s.env, "`, then `") + "`"
}

// ownPrefix begins the names of the variables that only this provider uses.
const ownPrefix = "CLOCKER_"

// fallback is the value of the first variable that is set. A variable that other programs
// use too counts only if it is not empty.
func (s setting) fallback() (name, value string) {
	for _, name := range s.env {
		if value, set := os.LookupEnv(name); set && (value != "" || strings.HasPrefix(name, ownPrefix)) {
			return name, value
		}
	}
	return "", ""
}

// isEmpty adds an error if the variable that stands in for a setting is empty, such as one
// made from a secret that a pipeline does not have. To go on without it would be to connect
// in another way than was meant, or to other servers.
func (s setting) isEmpty(at path.Path, diags *diag.Diagnostics) bool {
	name, value := s.fallback()
	if name == "" || value != "" {
		return false
	}
	diags.AddAttributeError(at, "Empty Environment Variable",
		fmt.Sprintf("The environment variable %s stands in for %s here, but is empty. It may have been made from a secret or a variable that does not exist. Give it a value, or unset it.", name, s.attribute))
	return true
}

// settings are the provider's arguments, from the configuration, the
// environment or their defaults.
type settings struct {
	zookeeper      types.String // null if there is none, unknown before apply
	unusable       string       // why a variable of other programs does not name an ensemble
	sessionTimeout time.Duration
	connectTimeout time.Duration
	lockRoot       types.String // null for the default, which depends on the lock
	layout         types.String // null for the default
	owner          string
	security       security
}

// resolve takes from the environment what the configuration does not say. An error about
// a variable is on the argument that it stands in for.
func resolve(ctx context.Context, m providerModel, diags *diag.Diagnostics) settings {
	var s settings
	if s.unusable = unusableServers(m.ZooKeeper); s.unusable == "" {
		s.zookeeper = resolveString(ctx, m.ZooKeeper, settingZooKeeper, connectString, diags)
	}
	s.lockRoot = resolveString(ctx, m.LockRoot, settingLockRoot, znodePath, diags)
	s.layout = resolveString(ctx, m.Layout, settingLayout, oneOf(layouts), diags)
	s.owner = orElse(resolveString(ctx, m.Owner, settingOwner, stringvalidator.LengthAtMost(locker.MaxOwner), diags), defaultOwner())
	s.security = resolveSecurity(ctx, m, diags)
	s.sessionTimeout = resolveSeconds(m.SessionTimeout, settingSessionTimeout, defaultSessionTimeout, diags)
	s.connectTimeout = resolveSeconds(m.ConnectTimeout, settingConnectTimeout, defaultConnectTimeout, diags)
	return s
}

// ofOthers tells whether a value comes from a variable that other programs use too.
func (s setting) ofOthers(value types.String) bool {
	name, _ := s.fallback()
	return value.IsNull() && name != "" && !strings.HasPrefix(name, ownPrefix)
}

// unusableServers says why the variable that stands in for zookeeper cannot be used. It is
// empty if it can, and for this provider's own variable. What other programs mean by theirs
// is not an error, and matters only if nothing else says where ZooKeeper is.
func unusableServers(value types.String) string {
	name, env := settingZooKeeper.fallback()
	if !settingZooKeeper.ofOthers(value) {
		return ""
	}
	if _, err := zookeeper.ParseConnectString(env); err != nil {
		return fmt.Sprintf("The environment variable %s, which other programs use too, cannot be used: %v.", name, err)
	}
	return ""
}

func resolveString(ctx context.Context, value types.String, s setting, check validator.String, diags *diag.Diagnostics) types.String {
	if !value.IsNull() {
		return value
	}
	name, env := s.fallback()
	if name == "" {
		return value
	}
	if s.isEmpty(path.Root(s.attribute), diags) {
		return types.StringValue("")
	}
	resp := &validator.StringResponse{}
	check.ValidateString(ctx, validator.StringRequest{
		Path:        path.Root(s.attribute),
		ConfigValue: types.StringValue(env),
	}, resp)
	for _, d := range resp.Diagnostics {
		diags.AddAttributeError(path.Root(s.attribute), d.Summary(), fmt.Sprintf("The environment variable %s stands in for it here. %s", name, d.Detail()))
	}
	return types.StringValue(env)
}

func resolveSeconds(value types.Int64, s setting, def int64, diags *diag.Diagnostics) time.Duration {
	seconds := def
	switch name, env := s.fallback(); {
	case !value.IsNull() && !value.IsUnknown():
		seconds = value.ValueInt64()
	case value.IsNull() && s.isEmpty(path.Root(s.attribute), diags):
	case value.IsNull() && name != "":
		var err error
		seconds, err = strconv.ParseInt(env, 10, 64)
		if err != nil || seconds < 1 || seconds > maxTimeout {
			diags.AddAttributeError(path.Root(s.attribute), "Invalid Environment Variable",
				fmt.Sprintf("The environment variable %s stands in for %s here. Its value %s is not a whole number of seconds from 1 to %d.", name, s.attribute, zookeeper.Quote(env), maxTimeout))
		}
	}
	return time.Duration(seconds) * time.Second
}

// orElse is the value, or def if there is none yet.
func orElse(value types.String, def string) string {
	if value.IsNull() || value.IsUnknown() {
		return def
	}
	return value.ValueString()
}

func orElse64(value types.Int64, def int64) int64 {
	if value.IsNull() || value.IsUnknown() {
		return def
	}
	return value.ValueInt64()
}

func orElseBool(value types.Bool, def bool) bool {
	if value.IsNull() || value.IsUnknown() {
		return def
	}
	return value.ValueBool()
}

func defaultOwner() string {
	name := "unknown"
	if u, err := user.Current(); err == nil && u.Username != "" {
		name = u.Username
	} else if env := os.Getenv("USER"); env != "" {
		name = env
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return name + "@" + host
}
