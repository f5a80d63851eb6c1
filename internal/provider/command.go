package provider

import (
	"context"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
)

// Client is the provider for the commands of its executable: configured by nothing
// but the environment variables.
type Client struct {
	client
	warn func(string)
}

// NewClient reads the environment. The error is a [*ProblemsError]. warn is told what
// would be a warning of Terraform.
func NewClient(ctx context.Context, version string, warn func(string)) (*Client, error) {
	var diags diag.Diagnostics
	c := &Client{client{version: version, settings: resolve(ctx, providerModel{}, &diags)}, warn}
	return c, c.problems(diags)
}

// problems tells the warnings, and returns the errors as one error, nil if there are
// none.
func (c *Client) problems(diags diag.Diagnostics) error {
	for _, d := range diags.Warnings() {
		c.warn(inWords(d))
	}
	if errs := diags.Errors(); len(errs) > 0 {
		return &ProblemsError{errs}
	}
	return nil
}

// ProblemsError is what Terraform would show as errors of a block.
type ProblemsError struct{ diags diag.Diagnostics }

// Error has all of them in full, for a terminal.
func (e *ProblemsError) Error() string {
	all := make([]string, len(e.diags))
	for i, d := range e.diags {
		all[i] = inWords(d)
	}
	return strings.Join(all, "\n\n")
}

// inWords is a diagnostic with the flag that it is about.
func inWords(d diag.Diagnostic) string {
	about := ""
	if at, ok := d.(diag.DiagnosticWithPath); ok {
		about = fmt.Sprintf(" (--%s)", strings.ReplaceAll(at.Path().String(), "_", "-"))
	}
	return fmt.Sprintf("%s%s\n\n%s", d.Summary(), about, strings.TrimSpace(d.Detail()))
}
