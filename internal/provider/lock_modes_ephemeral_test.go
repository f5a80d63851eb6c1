// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/echoprovider"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"
	"github.com/hashicorp/terraform-plugin-testing/tfversion"
)

// The ephemeral block takes the lock in each way, and shares it with another run if
// that is possible.
func TestAccEphemeralModes(t *testing.T) {
	for name, test := range map[string]struct {
		arguments, pattern string
		together           bool
	}{
		"shared":  {`mode = "shared"`, sharedName, true},
		"slots":   {"slots = 3", semaphoreName, true},
		"curator": {`layout = "curator"`, curatorName, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			factories := r.factories()
			factories["echo"] = echoprovider.NewProviderServer()
			// Both blocks are open when the echo is created.
			names, value := []string{"a"}, "ephemeral.clocker_lock.a"
			if test.together {
				names, value = []string{"a", "b"}, "ephemeral.clocker_lock.b"
			}
			var blocks []string
			for _, name := range names {
				blocks = append(blocks, fmt.Sprintf("ephemeral \"clocker_lock\" %q {\n  lockid = \"l\"\n  %s\n}\n", name, test.arguments))
			}
			echo := fmt.Sprintf("provider \"echo\" {\n  data = merge(ephemeral.clocker_lock.a, %s)\n}\nresource \"echo\" \"it\" {}\n", value)
			elsewhere := takeElsewhere(r, test.arguments)
			var before func()
			if test.together {
				before = elsewhere.take
			}
			resource.ParallelTest(t, resource.TestCase{
				ProtoV6ProviderFactories: factories,
				// In OpenTofu 1.11 an ephemeral block is a change in each plan.
				TerraformVersionChecks: needs(tfversion.SkipBelow(tfversion.Version1_10_0), tfversion.SkipBelow(tfversion.Version1_12_0)),
				Steps: []resource.TestStep{{
					PreConfig: before,
					Config:    r.config(strings.Join(blocks, ""), echo),
					ConfigStateChecks: []statecheck.StateCheck{
						statecheck.ExpectKnownValue("echo.it", tfjsonpath.New("data").AtMapKey("held"), knownvalue.Bool(true)),
						statecheck.ExpectKnownValue("echo.it", tfjsonpath.New("data").AtMapKey("znode"), knownvalue.StringRegexp(regexp.MustCompile(test.pattern+`\d{10}$`))),
					},
				}},
			})
			if test.together {
				elsewhere.give()
			}
		})
	}
}

// needs is the version check for the program that runs the tests.
func needs(terraform, tofu tfversion.TerraformVersionCheck) []tfversion.TerraformVersionCheck {
	if os.Getenv("TF_ACC_PROVIDER_HOST") == openTofuRegistry {
		return []tfversion.TerraformVersionCheck{tofu}
	}
	return []tfversion.TerraformVersionCheck{terraform}
}

// The ephemeral block refuses the same combinations as the resource.
func TestAccEphemeralModesThatCannotBe(t *testing.T) {
	r := newRig(t)
	var steps []resource.TestStep
	for arguments, says := range map[string]string{
		"mode = \"shared\"\n  slots = 2":            "Invalid Attribute Combination",
		`mode = "semaphore"`:                        "Invalid Attribute Value Match",
		"slots = 0":                                 "Invalid Attribute Value",
		"layout = \"curator\"\n  slots = 2":         "Layout For Exclusive Locks Only",
		"layout = \"curator\"\n  mode = \"shared\"": "Layout For Exclusive Locks Only",
	} {
		steps = append(steps, resource.TestStep{
			Config:      r.config(fmt.Sprintf("ephemeral \"clocker_lock\" \"a\" {\n  lockid = \"l\"\n  %s\n}\n", arguments)),
			ExpectError: regexp.MustCompile(says),
		})
	}
	resource.ParallelTest(t, resource.TestCase{
		ProtoV6ProviderFactories: r.factories(),
		TerraformVersionChecks:   needs(tfversion.SkipBelow(tfversion.Version1_10_0), tfversion.SkipBelow(tfversion.Version1_11_0)),
		Steps:                    steps,
	})
	if tree := r.space.Tree(); len(tree) > 0 {
		t.Errorf("there is %q", tree)
	}
}
