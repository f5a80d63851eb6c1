// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

const (
	blockKerberos = "kerberos"

	// defaultService is the first part of the servers' principals, zookeeper/<host>.
	defaultService = "zookeeper"
	// defaultKerberosConfig is where systems keep krb5.conf.
	defaultKerberosConfig = "/etc/krb5.conf"
)

var (
	settingPrincipal       = setting{"principal", []string{"CLOCKER_KERBEROS_PRINCIPAL"}}
	settingKeytab          = setting{"keytab_file", []string{"CLOCKER_KERBEROS_KEYTAB_FILE"}}
	settingKerberosPass    = setting{"password", []string{"CLOCKER_KERBEROS_PASSWORD"}}
	settingCache           = setting{"ccache_file", []string{"CLOCKER_KERBEROS_CCACHE_FILE", "KRB5CCNAME"}}
	settingKerberosConfig  = setting{"config_file", []string{"CLOCKER_KERBEROS_CONFIG_FILE", "KRB5_CONFIG"}}
	settingService         = setting{"service_name", []string{"CLOCKER_KERBEROS_SERVICE_NAME"}}
	settingServerPrincipal = setting{"server_principal", []string{"CLOCKER_KERBEROS_SERVER_PRINCIPAL"}}
)

type kerberosModel struct {
	Principal       types.String `tfsdk:"principal"`
	KeytabFile      types.String `tfsdk:"keytab_file"`
	Password        types.String `tfsdk:"password"`
	CCacheFile      types.String `tfsdk:"ccache_file"`
	ConfigFile      types.String `tfsdk:"config_file"`
	ServiceName     types.String `tfsdk:"service_name"`
	ServerPrincipal types.String `tfsdk:"server_principal"`
}

// kerberosArgument is an argument of the block.
type kerberosArgument struct {
	setting setting
	value   types.String
}

// arguments are the arguments that count. If the block has a secret, the environment's secrets do not.
func (m *kerberosModel) arguments() []kerberosArgument {
	all := []kerberosArgument{
		{settingPrincipal, m.Principal}, {settingKerberosConfig, m.ConfigFile}, {settingService, m.ServiceName}, {settingServerPrincipal, m.ServerPrincipal},
	}
	secrets := []kerberosArgument{{settingKeytab, m.KeytabFile}, {settingKerberosPass, m.Password}, {settingCache, m.CCacheFile}}
	for _, a := range secrets {
		if !a.value.IsNull() {
			return append(all, a)
		}
	}
	return append(all, secrets...)
}

// unknown tells whether a part of the block is known only after apply.
func (m *kerberosModel) unknown() bool {
	return m != nil && slices.ContainsFunc(m.arguments(), func(a kerberosArgument) bool { return a.value.IsUnknown() })
}

func kerberosBlock() schema.Block {
	text := func(what string, s setting, more ...validator.String) schema.StringAttribute {
		return schema.StringAttribute{
			MarkdownDescription: what + " Environment: " + s.names() + ".",
			Optional:            true,
			Validators:          append(more, stringvalidator.LengthAtLeast(1)),
		}
	}
	secret := func(what string, s setting, others ...string) schema.StringAttribute {
		var not []path.Expression
		for _, other := range others {
			not = append(not, path.MatchRoot(blockKerberos).AtName(other))
		}
		return text(what, s, stringvalidator.ConflictsWith(not...))
	}
	keytab := secret("A keytab with the principal's key: the path of a file, or the keytab itself in base64. A file is read again at each login.", settingKeytab, "password", "ccache_file")
	password := secret("The principal's password.", settingKerberosPass, "keytab_file", "ccache_file")
	keytab.Sensitive, password.Sensitive = true, true
	return schema.SingleNestedBlock{
		MarkdownDescription: "Authenticates with Kerberos (SASL, mechanism GSSAPI). The block may be empty, and is implied if any of its environment variables that begin with `CLOCKER_` is set. " +
			"The secret is one of `keytab_file`, `password` and `ccache_file`. Kerberos does not encrypt: set `tls` too. Not with `username`.",
		Attributes: map[string]schema.Attribute{
			"principal": text("The user to log in as: `name@REALM` or `name/host@REALM`. Leave out the realm if krb5.conf has a `default_realm`. "+
				"Leave out the principal with a keytab that has only one, or with a credential cache.", settingPrincipal),
			"keytab_file": keytab,
			"password":    password,
			"ccache_file": secret("A credential cache that `kinit` has filled: `FILE:path`, `DIR:path` or a path. It is read again when a connection needs a ticket, so log in again before the ticket ends. "+
				"Used if there is neither `keytab_file` nor `password`. Default: what krb5.conf says, else `/tmp/krb5cc_<uid>`.", settingCache, "keytab_file", "password"),
			"config_file":  text("Path of a krb5.conf, which names the KDCs. Default `"+defaultKerberosConfig+"`. Without that file DNS is asked.", settingKerberosConfig),
			"service_name": text("First part of the servers' principals, `<service_name>/<host>`, with the host as in the connect string. Default `"+defaultService+"`.", settingService),
			"server_principal": text("The one principal of all servers, `service/host@REALM`, if they do not have one for each host. "+
				"Needed if the connect string has addresses instead of names.", settingServerPrincipal),
		},
	}
}

// orEnv is the value, or else that of the first environment variable that is not empty.
func orEnv(value types.String, s setting) types.String {
	if _, env := s.fallback(); value.IsNull() && env != "" {
		return types.StringValue(env)
	}
	return value
}

// resolveKerberos finds the user's secret and all files. It makes their paths absolute, because the holder process
// has another working directory, and no environment.
func resolveKerberos(m *kerberosModel, diags *diag.Diagnostics) (k *zookeeper.Kerberos, end time.Time) {
	if m == nil {
		m = &kerberosModel{}
	}
	k = &zookeeper.Kerberos{
		Principal:       orEnv(m.Principal, settingPrincipal).ValueString(),
		ServiceName:     orElse(orEnv(m.ServiceName, settingService), defaultService),
		ServerPrincipal: orEnv(m.ServerPrincipal, settingServerPrincipal).ValueString(),
	}
	failed := func(s setting, format string, args ...any) {
		diags.AddAttributeError(path.Root(blockKerberos).AtName(s.attribute), "Invalid Kerberos Setting", fmt.Sprintf(format, args...))
	}
	for _, p := range []struct {
		setting setting
		text    string
	}{{settingPrincipal, k.Principal}, {settingServerPrincipal, k.ServerPrincipal}} {
		if err := zookeeper.CheckPrincipal(p.text); p.text != "" && err != nil {
			failed(p.setting, "%s is %s, which is not valid: %v. Set it to name@REALM or name/host@REALM.", p.setting.attribute, zookeeper.Quote(p.text), err)
		}
	}
	if strings.ContainsAny(k.ServiceName, "/@") {
		failed(settingService, "service_name is %s, but it must be only the first part of a principal. Set it to the part before the slash, or set server_principal.", zookeeper.Quote(k.ServiceName))
	}
	var err error
	if k.Configuration, err = kerberosConfig(m.ConfigFile); err != nil {
		failed(settingKerberosConfig, "%v", err)
	}
	source := resolveSecret(m, k, failed)
	if diags.HasError() {
		return k, end
	}
	end, advice, err := k.Check()
	if err != nil {
		failed(source, "%s. %s", capital(err.Error()), advice)
	}
	return k, end
}

// resolveSecret takes the one secret, and returns its setting. If the block names one, the environment's do not
// count.
func resolveSecret(m *kerberosModel, k *zookeeper.Kerberos, failed func(setting, string, ...any)) setting {
	keytab, password, cache := m.KeytabFile, m.Password, m.CCacheFile
	if keytab.IsNull() && password.IsNull() && cache.IsNull() {
		keytab, password = orEnv(keytab, settingKeytab), orEnv(password, settingKerberosPass)
		own := setting{settingCache.attribute, settingCache.env[:1]}
		given := 0
		for _, s := range []setting{settingKeytab, settingKerberosPass, own} {
			if name, _ := s.fallback(); name != "" {
				given++
			}
		}
		if given > 1 {
			failed(settingKeytab, "Several environment variables set a secret: set only one of %s, %s and %s.", settingKeytab.names(), settingKerberosPass.names(), own.names())
			return settingKeytab
		}
	}
	switch {
	case !keytab.IsNull():
		text, file, err := readKeytabSetting(keytab.ValueString())
		if err != nil {
			failed(settingKeytab, "%v", err)
		}
		k.Keytab, k.KeytabFile = zookeeper.NewSecret(text), file
		return settingKeytab
	case !password.IsNull():
		if k.Principal == "" {
			failed(settingPrincipal, "password is set, but principal is not. Set principal, here or as %s, to the user with that password.", settingPrincipal.names())
		}
		k.Password = zookeeper.NewSecret(password.ValueString())
		return settingKerberosPass
	}
	name, from := credentialCache(cache, k.Configuration)
	kind, file, advice, err := zookeeper.ParseCache(name)
	if err == nil {
		file, err = filepath.Abs(file)
	}
	if err != nil {
		failed(settingCache, "The credential cache is %s (from %s): %v. %s", zookeeper.Quote(name), from, err, advice)
	}
	k.Cache = kind + ":" + file
	return settingCache
}

// credentialCache is the cache to use, and what names it.
func credentialCache(value types.String, configuration string) (name, from string) {
	if !value.IsNull() {
		return value.ValueString(), settingCache.attribute
	}
	if variable, env := settingCache.fallback(); env != "" {
		return env, "the environment variable " + variable
	}
	uid, username := fmt.Sprint(os.Getuid()), ""
	if u, err := user.Current(); err == nil {
		username = u.Username
	}
	if name := zookeeper.DefaultCache(configuration, uid, username); name != "" {
		return name, "default_ccache_name in krb5.conf"
	}
	return "/tmp/krb5cc_" + uid, "default"
}

// kerberosConfig are the absolute paths of the configuration files. A file that the user names must exist.
func kerberosConfig(value types.String) (string, error) {
	named := orEnv(value, setting{settingKerberosConfig.attribute, settingKerberosConfig.env[:1]})
	paths := orElse(orEnv(named, settingKerberosConfig), defaultKerberosConfig)
	var all []string
	for _, name := range filepath.SplitList(paths) {
		if name == "" {
			continue
		}
		file, err := filepath.Abs(name)
		if err == nil && !named.IsNull() {
			_, err = os.Stat(file)
		}
		if err != nil {
			return "", fmt.Errorf("the file %s cannot be used: %w. Set config_file to the path of a krb5.conf", zookeeper.Quote(name), err)
		}
		all = append(all, file)
	}
	return strings.Join(all, string(os.PathListSeparator)), nil
}

// readKeytabSetting returns a keytab that is given as base64, or the absolute path of its file. No error shows
// either: what looks like a path may be a keytab in base64 that we cannot read.
func readKeytabSetting(value string) (content, file string, err error) {
	const how = "Set it to the path of a keytab, or to its content in base64, as `base64 -w0 clocker.keytab` prints it"
	joined := strings.Join(strings.Fields(value), "")
	// The first bytes of a keytab are 5 and 2.
	if strings.HasPrefix(joined, "BQI") {
		decoded, err := base64.StdEncoding.DecodeString(joined)
		if err == nil {
			err = zookeeper.CheckKeytab(string(decoded))
		}
		if err == nil {
			return string(decoded), "", nil
		}
		if _, missing := os.Stat(value); missing != nil {
			return "", "", fmt.Errorf("keytab_file is not a keytab in base64, or not a whole one. %s", how)
		}
	}
	info, err := os.Stat(value)
	switch {
	case err != nil:
		return "", "", fmt.Errorf("keytab_file cannot be used: the file that it names cannot be read: %w. %s", withoutPath(err), how)
	case !info.Mode().IsRegular():
		return "", "", fmt.Errorf("keytab_file cannot be used: it does not name a regular file. %s", how)
	}
	if file, err = filepath.Abs(value); err != nil {
		return "", "", fmt.Errorf("keytab_file cannot be used: the working directory is not known: %w", err)
	}
	return "", file, nil
}

// withoutPath is an error about a file without the file's path.
func withoutPath(err error) error {
	if failed := (*os.PathError)(nil); errors.As(err, &failed) {
		return failed.Err
	}
	return err
}

// capital is the text with a capital letter.
func capital(text string) string {
	if text == "" {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}
