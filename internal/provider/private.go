// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
)

// Keys of the private state.
const (
	privateRun   = "run"   // id of the run that took a resource's lock
	privateGrant = "grant" // id of the grant that the run got
	privatePlace = "place" // takenAt of a resource's lock
	privateLock  = "lock"  // openLock of an ephemeral block
)

type privateReader interface {
	GetKey(ctx context.Context, key string) ([]byte, diag.Diagnostics)
}

type privateWriter interface {
	SetKey(ctx context.Context, key string, value []byte) diag.Diagnostics
}

// getPrivate reads a value. It leaves it unchanged if the key has none.
func getPrivate(ctx context.Context, private privateReader, key string, value any) diag.Diagnostics {
	raw, diags := private.GetKey(ctx, key)
	if len(raw) == 0 {
		return diags
	}
	if err := json.Unmarshal(raw, value); err != nil {
		diags.AddError("Damaged Private State", fmt.Sprintf("The value %q cannot be read: %v", key, err))
	}
	return diags
}

func setPrivate(ctx context.Context, private privateWriter, key string, value any) diag.Diagnostics {
	raw, err := json.Marshal(value)
	if err != nil {
		return diag.Diagnostics{diag.NewErrorDiagnostic("Private State", err.Error())}
	}
	return private.SetKey(ctx, key, raw)
}
