// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// Terraform goes on after a renewal that failed, and prints lines for each.
func TestEphemeralAsksForNoRenewal(t *testing.T) {
	r := newRig(t)
	server, err := providerserver.NewProtocol6WithError(New("test", r.runtime)())()
	if err != nil {
		t.Fatal(err)
	}
	schemas, err := server.GetProviderSchema(t.Context(), &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		t.Fatal(err)
	}
	configured, err := server.ConfigureProvider(t.Context(), &tfprotov6.ConfigureProviderRequest{
		Config: configOf(t, schemas.Provider, map[string]any{"zookeeper": r.space.ConnectString()}),
	})
	if err != nil || len(configured.Diagnostics) > 0 {
		t.Fatal(err, configured)
	}
	opened, err := server.OpenEphemeralResource(t.Context(), &tfprotov6.OpenEphemeralResourceRequest{
		TypeName: "clocker_lock",
		Config:   configOf(t, schemas.EphemeralResourceSchemas["clocker_lock"], map[string]any{"lockid": "l"}),
	})
	if err != nil || len(opened.Diagnostics) > 0 {
		t.Fatal(err, opened)
	}
	if !opened.RenewAt.IsZero() {
		t.Errorf("a renewal is asked for at %v", opened.RenewAt)
	}
	closed, err := server.CloseEphemeralResource(t.Context(), &tfprotov6.CloseEphemeralResourceRequest{
		TypeName: "clocker_lock", Private: opened.Private,
	})
	if err != nil || len(closed.Diagnostics) > 0 {
		t.Error(err, closed)
	}
	r.space.WaitGone(lockDir)
}

// configOf is a configuration with only those values.
func configOf(t *testing.T, schema *tfprotov6.Schema, set map[string]any) *tfprotov6.DynamicValue {
	t.Helper()
	object, ok := schema.ValueType().(tftypes.Object)
	if !ok {
		t.Fatal("the schema is of no object")
	}
	values := make(map[string]tftypes.Value)
	for name, kind := range object.AttributeTypes {
		values[name] = tftypes.NewValue(kind, nil)
		if value, ok := set[name]; ok {
			values[name] = tftypes.NewValue(kind, value)
		}
	}
	config, err := tfprotov6.NewDynamicValue(object, tftypes.NewValue(object, values))
	if err != nil {
		t.Fatal(err)
	}
	return &config
}
