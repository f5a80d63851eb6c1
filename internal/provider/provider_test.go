// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// What the configuration does not say comes from the environment. The configuration goes
// first.
func TestAccProviderFromTheEnvironment(t *testing.T) {
	r := newRig(t)
	r.space.AllowEmpty("/from-the-environment", "/configured")
	elsewhere := zktest.NewSpace(t)
	t.Setenv("CLOCKER_ZOOKEEPER", r.space.ConnectString())
	t.Setenv("ZOOKEEPER_SERVERS", elsewhere.ConnectString())
	t.Setenv("CLOCKER_LOCK_ROOT", "/from-the-environment")
	t.Setenv("CLOCKER_OWNER", "the environment")
	step := func(provider, dir, owner string) resource.TestStep {
		return resource.TestStep{
			PreConfig: r.nextRun,
			Config:    provider + lock() + data("depends_on = [clocker_lock.a]"),
			ConfigStateChecks: []statecheck.StateCheck{
				statecheck.ExpectKnownValue(theLock, znode, knownvalue.StringRegexp(regexp.MustCompile("^"+dir+"/ex-"))),
				statecheck.ExpectKnownValue(theData, tfjsonpath.New("holders").AtSliceIndex(0).AtMapKey("owner"), knownvalue.StringExact(owner)),
			},
		}
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: r.factories(),
		Steps: []resource.TestStep{
			step("", r.space.Path("/from-the-environment/l"), "the environment"),
			step(`provider "clocker" {
  lock_root = "/configured"
  owner     = "the configuration"
}
`, r.space.Path("/configured/l"), "the configuration"),
			step(fmt.Sprintf("provider \"clocker\" {\n  zookeeper = %q\n}\n", elsewhere.ConnectString()), elsewhere.Path("/from-the-environment/l"), "the environment"),
		},
		CheckDestroy: func(*terraform.State) error {
			elsewhere.Delete("/from-the-environment")
			return nil
		},
	})
}

// The second variable stands in for the first.
func TestAccProviderFromTheCommonVariable(t *testing.T) {
	r := newRig(t)
	t.Setenv("ZOOKEEPER_SERVERS", r.space.ConnectString())
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: r.factories(),
		Steps:                    []resource.TestStep{{Config: lock(), ConfigStateChecks: stateHeld(), Check: r.there(lockDir)}},
	})
}

// What another program means by that variable matters only if nothing else says where
// ZooKeeper is.
func TestAccProviderWithServersOfAnotherProgram(t *testing.T) {
	r := newRig(t)
	t.Setenv("ZOOKEEPER_SERVERS", "zk://zk1:2181,zk2:2181/kafka")
	own := fmt.Sprintf("zookeeper = %q", r.space.ConnectString())
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: r.factories(),
		Steps: []resource.TestStep{
			{Config: lock(), ExpectError: regexp.MustCompile(`(?s)No ZooKeeper Named.*ZOOKEEPER_SERVERS,\s+which\s+other\s+programs\s+use`)},
			{Config: lock(own), ConfigStateChecks: stateHeld(), Check: r.there(lockDir)},
		},
	})
}

// Without a ZooKeeper in the block, the provider or the environment there is an error. One in
// the block is enough.
func TestAccProviderWithoutZooKeeper(t *testing.T) {
	r := newRig(t)
	own := fmt.Sprintf("zookeeper = %q", r.space.ConnectString())
	none := regexp.MustCompile("No ZooKeeper Named")
	resource.ParallelTest(t, resource.TestCase{
		ProtoV6ProviderFactories: r.factories(),
		Steps: []resource.TestStep{
			{Config: lock(), ExpectError: none},
			{Config: data(), ExpectError: none},
			{Config: lock(own) + data(own, "depends_on = [clocker_lock.a]"), ConfigStateChecks: append(stateHeld(),
				statecheck.ExpectKnownValue(theData, tfjsonpath.New("held_by_this_run"), knownvalue.Bool(true)))},
		},
	})
}

// A connect string that is known only at apply is enough to take a lock, but not to look at
// one during the plan.
func TestAccProviderWithAnUnknownZooKeeper(t *testing.T) {
	r := newRig(t)
	unknown := fmt.Sprintf(`
resource "terraform_data" "zookeeper" {
  input = %q
}

provider "clocker" {
  zookeeper = terraform_data.zookeeper.output
}
`, r.space.ConnectString())
	resource.ParallelTest(t, resource.TestCase{
		ProtoV6ProviderFactories: r.factories(),
		Steps: []resource.TestStep{{
			Config:      unknown + data(),
			ExpectError: regexp.MustCompile("ZooKeeper Not Known Yet"),
		}, {
			Config: unknown + lock(),
			ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
				plancheck.ExpectResourceAction(theLock, plancheck.ResourceActionCreate),
				plancheck.ExpectUnknownValue(theLock, znode),
			}},
			ConfigStateChecks: stateHeld(),
			Check:             r.there(lockDir),
		}},
	})
}
