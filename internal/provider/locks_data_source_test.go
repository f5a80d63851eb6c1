// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"regexp"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// allLocks is a data source clocker_locks.a with the arguments.
func allLocks(arguments string) string {
	return "data \"clocker_locks\" \"a\" {\n" + arguments + "\ndepends_on = [clocker_lock.a]\n}\n"
}

// listed checks a lock: how many hold it, and how many wait.
func listed(lockid knownvalue.Check, name string, holders int, waiters int64, readable bool) knownvalue.Check {
	return knownvalue.ObjectExact(map[string]knownvalue.Check{
		"lockid":    lockid,
		"name":      knownvalue.StringExact(name),
		"directory": knownvalue.StringRegexp(regexp.MustCompile(`/_zk(locking|semaphore)/` + regexp.QuoteMeta(name) + `$`)),
		"holders":   knownvalue.ListSizeExact(holders),
		"waiters":   knownvalue.Int64Exact(waiters),
		"readable":  knownvalue.Bool(readable),
	})
}

// All locks below both roots are listed, including those of other clients.
func TestAccLocks(t *testing.T) {
	r := newRig(t)
	check := func(locks ...knownvalue.Check) []statecheck.StateCheck {
		return []statecheck.StateCheck{statecheck.ExpectKnownValue("data.clocker_locks.a", tfjsonpath.New("locks"), knownvalue.ListExact(locks))}
	}
	id := knownvalue.StringExact
	mine := listed(id("team__mine"), "team__mine", 1, 0, true)
	lock := lock(`lockid = "team/mine"`)
	resource.ParallelTest(t, resource.TestCase{
		ProtoV6ProviderFactories: r.factories(),
		Steps: []resource.TestStep{{
			Config:            r.config(lock, allLocks("")),
			ConfigStateChecks: check(mine),
		}, {
			PreConfig: func() {
				for _, dir := range []string{"/_zklocking/kazoo", "/_zklocking/kazoo/deep", "/_zksemaphore", "/_zksemaphore/kazoo"} {
					r.space.Create(dir, nil, zktest.Persistent)
				}
				for _, name := range []string{"/_zklocking/kazoo/deep/lock-", "/_zklocking/kazoo/deep/lock-", "/_zksemaphore/kazoo/sem"} {
					r.space.Create(name, nil, zktest.EphemeralSequential)
				}
			},
			Config: r.config(lock, allLocks("")),
			ConfigStateChecks: check(
				listed(id("kazoo"), "kazoo", 1, 0, true),
				listed(knownvalue.Null(), "kazoo/deep", 1, 1, true),
				mine,
			),
		}, {
			Config:            r.config(lock, allLocks(`prefix = "team/"`)),
			ConfigStateChecks: check(mine),
		}, {
			Config:            r.config(lock, allLocks(`prefix = "nobody"`)),
			ConfigStateChecks: check(),
		}},
		CheckDestroy: func(*terraform.State) error {
			r.endRuns()
			for _, dir := range []string{"/_zklocking/kazoo/deep", "/_zksemaphore/kazoo"} {
				for _, name := range r.space.Children(dir) {
					r.space.Delete(dir + "/" + name)
				}
				r.space.Delete(dir)
			}
			r.space.Delete("/_zklocking/kazoo")
			return nil
		},
	})
}

// If ZooKeeper cannot be reached, the error says so.
func TestAccLocksWithoutAServer(t *testing.T) {
	r := newRig(t)
	resource.ParallelTest(t, resource.TestCase{
		ProtoV6ProviderFactories: r.factories(),
		Steps: []resource.TestStep{{
			Config:      "provider \"clocker\" {\n zookeeper = \"127.0.0.1:1\"\n connect_timeout = 1\n}\ndata \"clocker_locks\" \"a\" {}\n",
			ExpectError: regexp.MustCompile(`(?s)ZooKeeper Cannot Be Reached.*/_zklocking and\s+/_zksemaphore`),
		}, {
			Config:      r.config("data \"clocker_locks\" \"a\" {\n zookeeper = \"http://x\"\n}\n"),
			ExpectError: regexp.MustCompile(`Invalid Connect String`),
		}},
	})
}
