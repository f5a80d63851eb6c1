// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// acl says who may change what the provider creates.
type acl string

const (
	aclOpen    acl = "open"
	aclCreator acl = "creator"
)

// maxCredential is the most bytes of a username, and of a password. Servers close the
// connection if one is too long for them.
const maxCredential = 1024

var acls = []acl{aclOpen, aclCreator}

var (
	settingUsername = setting{"username", []string{"CLOCKER_USERNAME", "ZOOKEEPER_USERNAME"}}
	settingPassword = setting{"password", []string{"CLOCKER_PASSWORD", "ZOOKEEPER_PASSWORD"}}
	settingACL      = setting{"acl", []string{"CLOCKER_ACL"}}

	settingCA         = setting{"ca_file", []string{"CLOCKER_TLS_CA_FILE"}}
	settingCert       = setting{"cert_file", []string{"CLOCKER_TLS_CERT_FILE"}}
	settingKey        = setting{"key_file", []string{"CLOCKER_TLS_KEY_FILE"}}
	settingServerName = setting{"server_name", []string{"CLOCKER_TLS_SERVER_NAME"}}
	settingSkipVerify = setting{"insecure_skip_verify", []string{"CLOCKER_TLS_INSECURE_SKIP_VERIFY"}}
)

type tlsModel struct {
	CAFile             types.String `tfsdk:"ca_file"`
	CertFile           types.String `tfsdk:"cert_file"`
	KeyFile            types.String `tfsdk:"key_file"`
	ServerName         types.String `tfsdk:"server_name"`
	InsecureSkipVerify types.Bool   `tfsdk:"insecure_skip_verify"`
}

// unknown tells whether a part of the block is known only after apply.
func (m *tlsModel) unknown() bool {
	return m != nil && (m.CAFile.IsUnknown() || m.CertFile.IsUnknown() || m.KeyFile.IsUnknown() || m.ServerName.IsUnknown() || m.InsecureSkipVerify.IsUnknown())
}

func tlsBlock() schema.Block {
	pem := func(what string, s setting) string {
		return what + ": a file's path, or the PEM text itself. A file is read again at each connection. Environment: " + s.names() + "."
	}
	notEmpty := []validator.String{stringvalidator.LengthAtLeast(1)}
	return schema.SingleNestedBlock{
		MarkdownDescription: "Connects with TLS 1.2 or later. The block may be empty, and is implied if any of its environment variables is set. " +
			"The connect string must then name the servers' `secureClientPort`.",
		Attributes: map[string]schema.Attribute{
			"ca_file": schema.StringAttribute{
				MarkdownDescription: pem("Certificates of the CAs that sign the servers' certificates; the system's CAs if left out", settingCA),
				Optional:            true,
				Validators:          notEmpty,
			},
			"cert_file": schema.StringAttribute{
				MarkdownDescription: pem("Client certificate, for mutual TLS. Needs `key_file`", settingCert),
				Optional:            true,
				Validators:          notEmpty,
			},
			"key_file": schema.StringAttribute{
				MarkdownDescription: pem("Key of `cert_file`", settingKey),
				Optional:            true,
				Sensitive:           true,
				Validators:          notEmpty,
			},
			"server_name": schema.StringAttribute{
				MarkdownDescription: "The name that the servers' certificates must have, if it is not the one that you connect to. Environment: " + settingServerName.names() + ".",
				Optional:            true,
				Validators:          notEmpty,
			},
			"insecure_skip_verify": schema.BoolAttribute{
				MarkdownDescription: "Accepts any certificate, and so talks to anyone who answers. Not for production. Environment: " + settingSkipVerify.names() + ", which has no effect if there is a `ca_file`.",
				Optional:            true,
			},
		},
	}
}

// security says how this client and the servers prove who they are.
type security struct {
	auth    zookeeper.Digest
	sasl    sasl
	tls     *zookeeper.TLS // nil for plain text
	creator bool
	unknown bool // a part of it is known only after apply
}

func resolveSecurity(ctx context.Context, m providerModel, diags *diag.Diagnostics) security {
	username := resolveString(ctx, m.Username, settingUsername, digestUser, diags)
	password := resolveString(ctx, m.Password, settingPassword, stringvalidator.LengthBetween(1, maxCredential), diags)
	// Of variables that other programs use too, one without the other does not count.
	if password.IsNull() && settingUsername.ofOthers(m.Username) {
		username = types.StringNull()
	}
	if username.IsNull() && settingPassword.ofOthers(m.Password) {
		password = types.StringNull()
	}
	who := acl(orElse(resolveString(ctx, m.ACL, settingACL, oneOf(acls), diags), string(aclOpen)))
	for _, pair := range []struct {
		given, missing types.String
		has, lacks     setting
	}{
		{username, password, settingUsername, settingPassword},
		{password, username, settingPassword, settingUsername},
	} {
		if !pair.given.IsNull() && pair.missing.IsNull() {
			diags.AddAttributeError(path.Root(pair.lacks.attribute), "Incomplete Credentials",
				fmt.Sprintf("%s is set, but %s is not. Set %[2]s too, here or as %s, or neither.", pair.has.attribute, pair.lacks.attribute, pair.lacks.names()))
		}
	}
	s := security{
		auth:    zookeeper.Digest{Username: username.ValueString(), Password: zookeeper.NewSecret(password.ValueString())},
		creator: who == aclCreator,
		unknown: username.IsUnknown() || password.IsUnknown() || m.ACL.IsUnknown() || m.TLS.unknown() || m.Kerberos.unknown() || m.DigestMD5.unknown(),
	}
	if s.unknown {
		return s
	}
	s.tls = resolveTLS(m.TLS, diags)
	s.sasl = resolveSASL(m, username, diags)
	if s.creator && username.IsNull() && s.sasl.none() && (s.tls == nil || !s.tls.HasCertificate()) {
		diags.AddAttributeError(path.Root(settingACL.attribute), "ACL Needs A User",
			fmt.Sprintf("acl is %q, which reserves each lock for the user that takes it, but this provider has no user. "+
				"Set username and password, kerberos, digest_md5, or a client certificate in tls. Or set acl = %q.", aclCreator, aclOpen))
	}
	return s
}

func resolveTLS(m *tlsModel, diags *diag.Diagnostics) *zookeeper.TLS {
	block := path.Root("tls")
	wanted := m != nil
	if m == nil {
		m = &tlsModel{}
	}
	for _, s := range []struct {
		setting
		value attr.Value
	}{{settingCA, m.CAFile}, {settingCert, m.CertFile}, {settingKey, m.KeyFile}, {settingServerName, m.ServerName}, {settingSkipVerify, m.InsecureSkipVerify}} {
		if name, _ := s.fallback(); name != "" && s.value.IsNull() {
			wanted = true
			s.isEmpty(block.AtName(s.attribute), diags)
		}
	}
	if !wanted {
		return nil
	}
	pem := func(value types.String, s setting) (text, file string) {
		text, file, err := readPEM(value, s)
		if err != nil {
			diags.AddAttributeError(block.AtName(s.attribute), "Unreadable File", err.Error())
		}
		return text, file
	}
	t := &zookeeper.TLS{
		ServerName:         fromEnv(m.ServerName, settingServerName).ValueString(),
		InsecureSkipVerify: m.InsecureSkipVerify.ValueBool(),
	}
	t.CA, t.CAFile = pem(m.CAFile, settingCA)
	t.Cert, t.CertFile = pem(m.CertFile, settingCert)
	key, keyFile := pem(m.KeyFile, settingKey)
	t.Key, t.KeyFile = zookeeper.NewSecret(key), keyFile
	if name, env := settingSkipVerify.fallback(); m.InsecureSkipVerify.IsNull() && env != "" {
		skip, err := strconv.ParseBool(env)
		switch {
		case err != nil:
			diags.AddAttributeError(block.AtName(settingSkipVerify.attribute), "Invalid Environment Variable",
				fmt.Sprintf("The environment variable %s is %s. Set it to true or false.", name, zookeeper.Quote(env)))
		case skip && t.CA+t.CAFile != "":
			diags.AddAttributeWarning(block.AtName(settingCA.attribute), "Servers Are Verified",
				fmt.Sprintf("The environment variable %s is %s, but ca_file says who signs the servers' certificates, so they are verified. Unset the variable, or leave out ca_file.", name, zookeeper.Quote(env)))
		default:
			t.InsecureSkipVerify = skip
		}
	}
	if diags.HasError() {
		return t
	}
	var part *zookeeper.TLSError
	if _, err := t.Config(); errors.As(err, &part) {
		diags.AddAttributeError(block.AtName(part.Part+"_file"), "Invalid TLS Setting",
			fmt.Sprintf("%s_file cannot be used: %v.", part.Part, part.Err))
	}
	if t.InsecureSkipVerify {
		diags.AddAttributeWarning(block.AtName(settingSkipVerify.attribute), "Servers Are Not Verified",
			"insecure_skip_verify is true: anyone who answers is taken for ZooKeeper, and learns the password. Set ca_file instead.")
	}
	return t
}

// fromEnv is the value, or else the environment's.
func fromEnv(value types.String, s setting) types.String {
	if name, env := s.fallback(); value.IsNull() && name != "" {
		return types.StringValue(env)
	}
	return value
}

const howToPEM = "Set it to the path of a PEM file, or to its text."

// readPEM returns a PEM text, or the absolute path of a file with one, which is read again
// at each connection. A pipe can be read only once, so its content is returned as a text.
//
// No error shows the text or a file's content. The error about a key, or about what looks
// like one, does not even show the path: it may be the key itself, in a form that we do not
// know.
func readPEM(value types.String, s setting) (text, file string, err error) {
	text = fromEnv(value, s).ValueString()
	name := s.attribute
	if variable, _ := s.fallback(); value.IsNull() && variable != "" {
		name = fmt.Sprintf("The environment variable %s stands in for %s here. It", variable, s.attribute)
	}
	if len(text) > zookeeper.MaxPEM {
		return "", "", fmt.Errorf("%s is longer than %d bytes. %s", name, zookeeper.MaxPEM, howToPEM)
	}
	if text == "" || strings.Contains(text, "-----BEGIN ") {
		return text, "", nil
	}
	if strings.ContainsAny(text, "\n\r") {
		return "", "", fmt.Errorf("%s is neither a PEM text nor a file's path. %s", name, howToPEM)
	}
	shown := zookeeper.Quote(text)
	if s.attribute == settingKey.attribute || zookeeper.LooksSecret(text) {
		shown = "the file that it names"
	}
	content, err := zookeeper.ReadPEM(text)
	if err != nil {
		return "", "", fmt.Errorf("%s cannot be used: %s cannot be read: %w. %s", name, shown, err, howToPEM)
	}
	info, err := os.Stat(text)
	if err != nil || !info.Mode().IsRegular() {
		return content, "", nil //nolint:nilerr // it was read a moment ago
	}
	if file, err = filepath.Abs(text); err != nil {
		return "", "", fmt.Errorf("%s cannot be used: the working directory is not known: %w", name, err)
	}
	return "", file, nil
}
