// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"fmt"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// On a system where a run cannot be interrupted, such as Windows, each plan says so for each
// lock that asks for it, except durable ones.
func TestPlanWarnsWhereNoRunCanBeInterrupted(t *testing.T) {
	for name, tc := range map[string]struct {
		noInterrupt bool
		set         map[string]any
		warned      bool
	}{
		"by default":       {true, nil, true},
		"asked for":        {true, map[string]any{"on_lost": "interrupt"}, true},
		"not asked for":    {true, map[string]any{"on_lost": "continue"}, false},
		"durable":          {true, map[string]any{"hold_until": "destroyed"}, false},
		"where it is done": {false, nil, false},
	} {
		set := map[string]any{"lockid": "l", "zookeeper": "127.0.0.1:1"}
		for name, value := range tc.set {
			set[name] = value
		}
		t.Run(name, func(t *testing.T) {
			server, err := providerserver.NewProtocol6WithError(New("test", Runtime{NoInterrupt: tc.noInterrupt})())()
			if err != nil {
				t.Fatal(err)
			}
			schemas, err := server.GetProviderSchema(t.Context(), &tfprotov6.GetProviderSchemaRequest{})
			if err != nil {
				t.Fatal(err)
			}
			configured, err := server.ConfigureProvider(t.Context(), &tfprotov6.ConfigureProviderRequest{Config: configOf(t, schemas.Provider, nil)})
			if err != nil || len(configured.Diagnostics) > 0 {
				t.Fatal(err, configured)
			}
			schema := schemas.ResourceSchemas["clocker_lock"]
			config := configOf(t, schema, set)
			none, err := tfprotov6.NewDynamicValue(schema.ValueType(), tftypes.NewValue(schema.ValueType(), nil))
			if err != nil {
				t.Fatal(err)
			}
			planned, err := server.PlanResourceChange(t.Context(), &tfprotov6.PlanResourceChangeRequest{
				TypeName: "clocker_lock", PriorState: &none, ProposedNewState: config, Config: config,
			})
			if err != nil {
				t.Fatal(err)
			}
			expectOnLostWarning(t, planned.Diagnostics, tc.warned)

			if _, durable := set["hold_until"]; durable {
				return
			}
			set["hold"] = false // as terraform.applying is in a plan
			opened, err := server.OpenEphemeralResource(t.Context(), &tfprotov6.OpenEphemeralResourceRequest{
				TypeName: "clocker_lock", Config: configOf(t, schemas.EphemeralResourceSchemas["clocker_lock"], set),
			})
			if err != nil {
				t.Fatal(err)
			}
			expectOnLostWarning(t, opened.Diagnostics, tc.warned)
		})
	}
}

// expectOnLostWarning checks that the diagnostics are only the warning on on_lost, or none.
func expectOnLostWarning(t *testing.T, diagnostics []*tfprotov6.Diagnostic, want bool) {
	t.Helper()
	var got []string
	for _, d := range diagnostics {
		got = append(got, fmt.Sprintf("%v: %s on %v", d.Severity, d.Summary, d.Attribute))
	}
	const warning = `WARNING: Run Cannot Be Interrupted on AttributeName("on_lost")`
	if len(got) > 1 || (len(got) == 1) != want || want && got[0] != warning {
		t.Errorf("diagnostics %q, want the warning: %v", got, want)
	}
}
