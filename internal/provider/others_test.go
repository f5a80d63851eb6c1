// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// Other programs' variables count only together, username and password, and after our own.
func TestUserOfOtherPrograms(t *testing.T) {
	for name, test := range map[string]struct {
		model providerModel
		env   map[string]string
		want  zookeeper.Digest
	}{
		"both": {
			env:  map[string]string{"ZOOKEEPER_USERNAME": "bob", "ZOOKEEPER_PASSWORD": "b"},
			want: zookeeper.Digest{Username: "bob", Password: zookeeper.NewSecret("b")},
		},
		"a name alone":     {env: map[string]string{"ZOOKEEPER_USERNAME": "bob"}},
		"a password alone": {env: map[string]string{"ZOOKEEPER_PASSWORD": "b"}},
		"empty":            {env: map[string]string{"ZOOKEEPER_USERNAME": "", "ZOOKEEPER_PASSWORD": ""}},
		"our own first": {
			env:  map[string]string{"ZOOKEEPER_USERNAME": "bob", "ZOOKEEPER_PASSWORD": "b", "CLOCKER_USERNAME": "alice", "CLOCKER_PASSWORD": "a"},
			want: zookeeper.Digest{Username: "alice", Password: zookeeper.NewSecret("a")},
		},
		"a password for a configured name": {
			model: providerModel{Username: text("alice")},
			env:   map[string]string{"ZOOKEEPER_USERNAME": "bob", "ZOOKEEPER_PASSWORD": "b"},
			want:  zookeeper.Digest{Username: "alice", Password: zookeeper.NewSecret("b")},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for variable, value := range test.env {
				t.Setenv(variable, value)
			}
			var diags diag.Diagnostics
			if s := resolveSecurity(t.Context(), test.model, &diags); s.auth != test.want || len(diags) > 0 {
				t.Errorf("the user is %q, its password as wanted: %t; %v", s.auth.Username, s.auth.Password == test.want.Password, diags)
			}
		})
	}
}
