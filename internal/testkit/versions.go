// SPDX-License-Identifier: MPL-2.0

package testkit

import (
	"errors"
	"testing"
)

// Versions are the first minor versions 1.x of each CLI that know something; the zero
// value is any.
type Versions struct{ Terraform, Tofu int }

// Never is for what a CLI does not have.
const Never = 1 << 30

// What not all versions know.
var (
	ImportBlocks     = Versions{Terraform: 5, Tofu: 6}
	Mocks            = Versions{Terraform: 7, Tofu: 8}
	EphemeralBlocks  = Versions{Terraform: 10, Tofu: 11}
	ImportByIdentity = Versions{Terraform: 12, Tofu: 12}
	Actions          = Versions{Terraform: 14, Tofu: Never}
	Queries          = Versions{Terraform: 14, Tofu: Never}
	DestroyEvents    = Versions{Terraform: 16, Tofu: Never} // of actions
)

// Knows tells whether the CLI is new enough.
func (c CLI) Knows(v Versions) bool {
	if c.Tofu {
		return c.Minor >= v.Tofu
	}
	return c.Minor >= v.Terraform
}

// Needs skips the test where there is no CLI, or one that is too old, and with -short.
func Needs(t *testing.T, v Versions) CLI {
	t.Helper()
	if testing.Short() {
		t.Skip("Terraform takes too long for -short")
	}
	cli, err := theCLI()
	switch {
	case errors.Is(err, ErrNoCLI):
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	case !cli.Knows(v):
		t.Skipf("%s does not know this", cli.Path)
	}
	return cli
}
