// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// stringCheck is a validator that asks a function what is wrong with a value.
type stringCheck struct {
	summary string
	must    string // what the value must be
	remedy  string
	wrong   func(string) error
}

var _ validator.String = stringCheck{}

// Description implements [validator.String].
func (c stringCheck) Description(context.Context) string { return c.must }

// MarkdownDescription implements [validator.String].
func (c stringCheck) MarkdownDescription(context.Context) string { return c.must }

// ValidateString implements [validator.String].
func (c stringCheck) ValidateString(_ context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	if err := c.wrong(req.ConfigValue.ValueString()); err != nil {
		resp.Diagnostics.AddAttributeError(req.Path, c.summary, err.Error()+". "+c.remedy)
	}
}

// connectString accepts a ZooKeeper connect string.
var connectString = stringCheck{
	summary: "Invalid Connect String",
	must:    "must be a connect string host[:port][,host[:port]...][/chroot]",
	remedy:  "Write host[:port][,host[:port]...][/chroot].",
	wrong: func(s string) error {
		_, err := zookeeper.ParseConnectString(s)
		return err
	},
}

// lockName accepts a lockid.
var lockName = mustBe("Invalid Lock ID", "The lockid", fmt.Sprintf("must be 1 to %d bytes of printable text, not \".\" or \"..\"", locker.MaxLockID),
	func(s string) error {
		if err := locker.ValidateLockID(s); err != nil {
			return fmt.Errorf("%s cannot name a lock: %w", zookeeper.Quote(s), err)
		}
		return nil
	})

// znodePath accepts an absolute path of a znode.
var znodePath = mustBe("Invalid Path", "The value", "must be an absolute znode path such as "+locker.DefaultRoot,
	func(s string) error {
		if err := zookeeper.ValidatePath(s); err != nil {
			return err
		}
		return zookeeper.ValidateVisible(s)
	})

// digestUser accepts a user of the digest scheme.
var digestUser = mustBe("Invalid Username", "The username", fmt.Sprintf("must have 1 to %d bytes, and no colon", maxCredential),
	func(s string) error {
		if name, _, pair := strings.Cut(s, ":"); pair {
			return fmt.Errorf("%s cannot be a user of digest authentication. What follows the colon is not shown, as it may be a password", zookeeper.Quote(name+":"))
		}
		if s == "" || len(s) > maxCredential {
			return fmt.Errorf("%s cannot be a user of digest authentication", zookeeper.Quote(s))
		}
		return nil
	})

// mustBe is a check whose remedy is what the value must be.
func mustBe(summary, value, must string, wrong func(string) error) stringCheck {
	return stringCheck{summary: summary, must: must, remedy: value + " " + must + ".", wrong: wrong}
}

// checkString returns what the validators of an argument say about a value that does not
// come from a configuration.
func (a argument) checkString(ctx context.Context, attribute string, value types.String) diag.Diagnostics {
	var resp validator.StringResponse
	for _, v := range a.strings {
		v.ValidateString(ctx, validator.StringRequest{Path: path.Root(attribute), ConfigValue: value}, &resp)
	}
	return resp.Diagnostics
}

// checkNumber is checkString for a number.
func (a argument) checkNumber(ctx context.Context, attribute string, value types.Int64) diag.Diagnostics {
	var resp validator.Int64Response
	for _, v := range a.numbers {
		v.ValidateInt64(ctx, validator.Int64Request{Path: path.Root(attribute), ConfigValue: value}, &resp)
	}
	return resp.Diagnostics
}
