// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

func TestValidators(t *testing.T) {
	for name, tc := range map[string]struct {
		validator  validator.String
		good, bad  []string
		badSummary string
	}{
		"connect string": {
			connectString,
			[]string{"zk", "zk:2181", "zk1:1,zk2:65535/chroot/below", "127.0.0.1", "[::1]:2181", "zk/"},
			[]string{"", " ", ",", "zk,", "zk:", "zk:0", "zk:65536", "zk:x", "::1", "http://zk", "zk/a//b", "zk/a/", "zk/.", "user@zk"},
			"Invalid Connect String",
		},
		"lockid": {
			lockName,
			[]string{"a", "a/b", "...", "ü 漢", "a.b", "/", strings.Repeat("x", 255)},
			[]string{"", ".", "..", "a\x00", "a\n", "\x7f", "\ufffe", strings.Repeat("x", 256), "\xff"},
			"Invalid Lock ID",
		},
		"path": {
			znodePath,
			[]string{"/", "/a", "/a/b-c_d"},
			[]string{"", "a", "//", "/a/", "/a//b", "/./a", "/a/..", "/a\x01"},
			"Invalid Path",
		},
		"username": {
			digestUser,
			[]string{"a", "a b", "ü"},
			[]string{"", ":", "a:b"},
			"Invalid Username",
		},
	} {
		t.Run(name, func(t *testing.T) {
			check := func(value types.String) diag.Diagnostics {
				resp := &validator.StringResponse{}
				tc.validator.ValidateString(t.Context(), validator.StringRequest{Path: path.Root("here"), ConfigValue: value}, resp)
				return resp.Diagnostics
			}
			for _, value := range []types.String{types.StringNull(), types.StringUnknown()} {
				if diags := check(value); len(diags) > 0 {
					t.Errorf("%v: %v", value, diags)
				}
			}
			for _, value := range tc.good {
				if diags := check(types.StringValue(value)); len(diags) > 0 {
					t.Errorf("%q: %v", value, diags)
				}
			}
			for _, value := range tc.bad {
				diags := check(types.StringValue(value))
				if len(diags) != 1 {
					t.Errorf("%q: %d diagnostics, want one", value, len(diags))
					continue
				}
				at, ok := diags[0].(diag.DiagnosticWithPath)
				if !ok || !at.Path().Equal(path.Root("here")) || at.Summary() != tc.badSummary {
					t.Errorf("%q: %v", value, diags[0])
				}
				if text := at.Detail(); !strings.HasSuffix(text, ".") || strings.Contains(text, "..\n") || strings.ContainsAny(text, "\x00\x01\x7f") {
					t.Errorf("%q: the detail is %q", value, text)
				}
			}
			if tc.validator.Description(t.Context()) == "" || tc.validator.MarkdownDescription(t.Context()) == "" {
				t.Error("it has no description")
			}
		})
	}
}
