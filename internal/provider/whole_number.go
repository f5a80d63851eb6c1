// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"math/big"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/attr/xattr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

var (
	_ basetypes.Int64Typable      = wholeNumber{}
	_ basetypes.Int64Valuable     = noWholeNumber{}
	_ xattr.ValidateableAttribute = noWholeNumber{}
)

// wholeNumber is the type of all numbers in the schemas. It is there because the framework
// calls a fraction, or a number beyond 64 bits, "always an error in the provider".
type wholeNumber struct{ basetypes.Int64Type }

// Equal implements [attr.Type]. The type of its values is the framework's own.
func (w wholeNumber) Equal(other attr.Type) bool {
	_, ok := other.(wholeNumber)
	return ok || w.Int64Type.Equal(other)
}

// ValueFromTerraform returns an Int64Value. For a number that cannot be one it returns a
// noWholeNumber, whose validation fails.
func (w wholeNumber) ValueFromTerraform(ctx context.Context, in tftypes.Value) (attr.Value, error) {
	value, err := w.Int64Type.ValueFromTerraform(ctx, in)
	if err == nil {
		return value, nil
	}
	var number *big.Float
	if in.IsNull() || !in.IsKnown() || in.As(&number) != nil {
		return nil, err
	}
	return noWholeNumber{basetypes.NewInt64Unknown(), number}, nil
}

// noWholeNumber is a number that is not a whole one. For all other validators it is unknown.
type noWholeNumber struct {
	basetypes.Int64Value
	number *big.Float
}

// ValidateAttribute implements [xattr.ValidateableAttribute].
func (n noWholeNumber) ValidateAttribute(_ context.Context, req xattr.ValidateAttributeRequest, resp *xattr.ValidateAttributeResponse) {
	resp.Diagnostics.Append(diag.NewAttributeErrorDiagnostic(req.Path, "Not A Whole Number",
		fmt.Sprintf("The value %s of %s is a fraction, or too large. Write a whole number.", n.number.Text('g', 10), req.Path)))
}
