// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

const blockDigestMD5 = "digest_md5"

var (
	settingMD5Username = setting{"username", []string{"CLOCKER_DIGEST_MD5_USERNAME"}}
	settingMD5Password = setting{"password", []string{"CLOCKER_DIGEST_MD5_PASSWORD"}}
)

type digestMD5Model struct {
	Username types.String `tfsdk:"username"`
	Password types.String `tfsdk:"password"`
}

// unknown tells whether a part of the block is known only after apply.
func (m *digestMD5Model) unknown() bool {
	return m != nil && (m.Username.IsUnknown() || m.Password.IsUnknown())
}

func digestMD5Block() schema.Block {
	return schema.SingleNestedBlock{
		MarkdownDescription: "Authenticates with the SASL mechanism DIGEST-MD5, for servers with a `DigestLoginModule` in their JAAS configuration. " +
			"It is old and weak: set `tls` too. Not with `username` or `kerberos`, which are other ways to authenticate.",
		Attributes: map[string]schema.Attribute{
			"username": schema.StringAttribute{
				MarkdownDescription: "User, as in the servers' JAAS configuration. Needs `password`. Environment: " + settingMD5Username.names() + ".",
				Optional:            true,
				Validators:          []validator.String{stringvalidator.LengthBetween(1, maxCredential)},
			},
			"password": schema.StringAttribute{
				MarkdownDescription: "Password of `username`. Environment: " + settingMD5Password.names() + ".",
				Optional:            true,
				Sensitive:           true,
				Validators:          []validator.String{stringvalidator.LengthBetween(1, maxCredential)},
			},
		},
	}
}

// sasl is the user by SASL.
type sasl struct {
	kerberos *zookeeper.Kerberos // nil without Kerberos
	md5      zookeeper.SASLUser
	cacheEnd time.Time // when the ticket in the credential cache ends; zero without one
}

func (s sasl) none() bool { return s.kerberos == nil && s.md5 == zookeeper.SASLUser{} }

// asked tells whether one of our own variables, not one of Kerberos, stands in for an argument. If that is
// empty, it adds an error.
func (s setting) asked(value types.String, block string, diags *diag.Diagnostics) bool {
	own := setting{s.attribute, s.env[:1]}
	name, _ := own.fallback()
	if name == "" || !value.IsNull() {
		return false
	}
	own.isEmpty(path.Root(block).AtName(s.attribute), diags)
	return true
}

// resolveSASL reads both blocks. It adds an error if more than one of them and the username is set.
func resolveSASL(m providerModel, username types.String, diags *diag.Diagnostics) sasl {
	s := sasl{md5: resolveDigestMD5(m.DigestMD5, diags)}
	wanted := m.Kerberos != nil
	if m.Kerberos == nil {
		m.Kerberos = &kerberosModel{}
	}
	before := diags.ErrorsCount()
	for _, a := range m.Kerberos.arguments() {
		if a.setting.asked(a.value, blockKerberos, diags) {
			wanted = true
		}
	}
	two := func(block, other string) {
		diags.AddAttributeError(path.Root(block), "Two Users",
			fmt.Sprintf("%s and %s are both set, here or by their environment variables. Only one of them can say who this client is: leave out the other.", block, other))
	}
	switch hasMD5 := s.md5 != (zookeeper.SASLUser{}); {
	case wanted && !username.IsNull():
		two(blockKerberos, settingUsername.attribute)
	case hasMD5 && !username.IsNull():
		two(blockDigestMD5, settingUsername.attribute)
	case hasMD5 && wanted:
		two(blockDigestMD5, blockKerberos)
	case wanted && diags.ErrorsCount() == before:
		s.kerberos, s.cacheEnd = resolveKerberos(m.Kerberos, diags)
	}
	return s
}

func resolveDigestMD5(m *digestMD5Model, diags *diag.Diagnostics) zookeeper.SASLUser {
	if m == nil {
		m = &digestMD5Model{}
	}
	settingMD5Username.asked(m.Username, blockDigestMD5, diags)
	settingMD5Password.asked(m.Password, blockDigestMD5, diags)
	username, password := orEnv(m.Username, settingMD5Username).ValueString(), orEnv(m.Password, settingMD5Password).ValueString()
	for _, pair := range []struct {
		given, missing string
		has, lacks     setting
	}{
		{username, password, settingMD5Username, settingMD5Password},
		{password, username, settingMD5Password, settingMD5Username},
	} {
		if name, _ := pair.lacks.fallback(); pair.given != "" && pair.missing == "" && name == "" {
			diags.AddAttributeError(path.Root(blockDigestMD5).AtName(pair.lacks.attribute), "Incomplete Credentials",
				fmt.Sprintf("%s is set, but %s is not. Set %[2]s too, here or as %s, or neither.", pair.has.attribute, pair.lacks.attribute, pair.lacks.names()))
		}
	}
	return zookeeper.SASLUser{Username: username, Password: zookeeper.NewSecret(password)}
}
