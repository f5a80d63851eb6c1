package provider

import (
	"context"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/schema/validator"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// connectStringValidator accepts a ZooKeeper connect string.
type connectStringValidator struct{}

func (connectStringValidator) Description(context.Context) string {
	return "must be a connect string host[:port][,host[:port]...][/chroot]"
}

func (v connectStringValidator) MarkdownDescription(ctx context.Context) string {
	return v.Description(ctx)
}

func (connectStringValidator) ValidateString(_ context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	validateString(req, resp, "Invalid Connect String", "Write host[:port][,host[:port]...][/chroot].", func(s string) error {
		_, err := zookeeper.ParseConnectString(s)
		return err
	})
}

// lockIDValidator accepts a lock's id.
type lockIDValidator struct{}

func (lockIDValidator) Description(context.Context) string {
	return fmt.Sprintf("must be 1 to %d bytes of printable text, not \".\" or \"..\"", locker.MaxLockID)
}

func (v lockIDValidator) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

func (v lockIDValidator) ValidateString(ctx context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	validateString(req, resp, "Invalid Lock ID", "The lockid "+v.Description(ctx)+".", func(s string) error {
		if err := locker.ValidateLockID(s); err != nil {
			return fmt.Errorf("%s cannot name a lock: %w", zookeeper.Quote(s), err)
		}
		return nil
	})
}

// pathValidator accepts an absolute znode path.
type pathValidator struct{}

func (pathValidator) Description(context.Context) string {
	return "must be an absolute znode path such as " + locker.DefaultRoot
}

func (v pathValidator) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

func (v pathValidator) ValidateString(ctx context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	validateString(req, resp, "Invalid Path", "The value "+v.Description(ctx)+".", func(s string) error {
		if err := zookeeper.ValidatePath(s); err != nil {
			return err
		}
		return zookeeper.ValidateVisible(s)
	})
}

// validateString adds an attribute error with the remedy if check refuses a
// known value.
func validateString(req validator.StringRequest, resp *validator.StringResponse, summary, remedy string, check func(string) error) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	if err := check(req.ConfigValue.ValueString()); err != nil {
		resp.Diagnostics.AddAttributeError(req.Path, summary, err.Error()+". "+remedy)
	}
}

// usernameValidator accepts a user of the digest scheme.
type usernameValidator struct{}

func (usernameValidator) Description(context.Context) string {
	return fmt.Sprintf("must have 1 to %d bytes, and no colon", maxCredential)
}

func (v usernameValidator) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

func (v usernameValidator) ValidateString(ctx context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	validateString(req, resp, "Invalid Username", "The username "+v.Description(ctx)+".", func(s string) error {
		if name, _, pair := strings.Cut(s, ":"); pair {
			return fmt.Errorf("%s and what follows, which is not shown as it may be a password, cannot be a user of digest authentication", zookeeper.Quote(name+":"))
		}
		if s == "" || len(s) > maxCredential {
			return fmt.Errorf("%s cannot be a user of digest authentication", zookeeper.Quote(s))
		}
		return nil
	})
}
