// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// dataCheck checks the data source's attributes.
func dataCheck(values map[string]knownvalue.Check) []statecheck.StateCheck {
	var checks []statecheck.StateCheck
	for name, value := range values {
		checks = append(checks, statecheck.ExpectKnownValue(theData, tfjsonpath.New(name), value))
	}
	return checks
}

var nobody = map[string]knownvalue.Check{
	"held":             knownvalue.Bool(false),
	"held_by_this_run": knownvalue.Bool(false),
	"holders":          knownvalue.ListExact(nil),
	"waiters":          knownvalue.ListExact(nil),
	"unrecognized":     knownvalue.ListExact(nil),
}

// A lock that nobody has ever taken is not held, and looking creates nothing.
func TestAccDataOfNoLock(t *testing.T) {
	r := newRig(t)
	resource.ParallelTest(t, resource.TestCase{
		ProtoV6ProviderFactories: r.factories(),
		Steps: []resource.TestStep{{
			Config:            r.config(data()),
			ConfigStateChecks: dataCheck(nobody),
			Check: func(*terraform.State) error {
				if tree := r.space.Tree(); len(tree) > 0 {
					return fmt.Errorf("there is %q", tree)
				}
				return nil
			},
		}},
	})
}

// Another run sees that this run holds the lock.
func TestAccDataOfAHeldLock(t *testing.T) {
	r := newRig(t)
	instant := knownvalue.StringRegexp(regexp.MustCompile(`^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$`))
	byThisRun := func(yes bool) map[string]knownvalue.Check {
		return map[string]knownvalue.Check{
			"held":             knownvalue.Bool(true),
			"held_by_this_run": knownvalue.Bool(yes),
			"holders": knownvalue.ListExact([]knownvalue.Check{knownvalue.ObjectExact(map[string]knownvalue.Check{
				"znode":      knownvalue.StringRegexp(regexp.MustCompile(`/_zklocking/l/ex-`)),
				"owner":      knownvalue.StringRegexp(regexp.MustCompile(`^.+@.+$`)),
				"info":       knownvalue.StringExact("why"),
				"run":        knownvalue.StringExact("0000000000000001"),
				"mode":       knownvalue.StringExact("exclusive"),
				"client":     knownvalue.StringExact("terraform-provider-clocker/test"),
				"durable":    knownvalue.Bool(false),
				"host":       knownvalue.NotNull(),
				"pid":        knownvalue.NotNull(),
				"since":      instant,
				"held_since": instant,
				"until":      instant,
			})}),
			"waiters":      knownvalue.ListExact(nil),
			"unrecognized": knownvalue.ListExact(nil),
		}
	}
	resource.ParallelTest(t, resource.TestCase{
		ProtoV6ProviderFactories: r.factories(),
		Steps: []resource.TestStep{{
			Config:            r.config(lock(`info = "why"`, "max_hold = 3600"), data("depends_on = [clocker_lock.a]")),
			ConfigStateChecks: dataCheck(byThisRun(true)),
		}, {
			// Removing the resource does not release another run's lock.
			PreConfig:         r.anotherRun,
			Config:            r.config(data()),
			ConfigStateChecks: dataCheck(byThisRun(false)),
		}},
		CheckDestroy: func(s *terraform.State) error {
			r.endRuns()
			return r.gone(lockDir)(s)
		},
	})
}

// Other clients' contenders are shown in the order of the queue, with what they say about
// themselves. Other children are shown, too.
func TestAccDataOfAForeignQueue(t *testing.T) {
	r := newRig(t)
	entry := func(znode string, mode string, owner, info, run, client, host, pid, since, heldSince knownvalue.Check) knownvalue.Check {
		return knownvalue.ObjectExact(map[string]knownvalue.Check{
			"znode":      knownvalue.StringRegexp(regexp.MustCompile(regexp.QuoteMeta(znode) + `\d{10}$`)),
			"owner":      owner,
			"info":       info,
			"run":        run,
			"mode":       knownvalue.StringExact(mode),
			"client":     client,
			"durable":    knownvalue.Bool(false),
			"host":       host,
			"pid":        pid,
			"since":      since,
			"held_since": heldSince,
			"until":      knownvalue.Null(),
		})
	}
	null, sometime := knownvalue.Null(), knownvalue.NotNull()
	foreign := func(znode, mode string, owner knownvalue.Check) knownvalue.Check {
		return entry(znode, mode, owner, null, null, null, null, null, sometime, null)
	}
	var made []string
	resource.ParallelTest(t, resource.TestCase{
		ProtoV6ProviderFactories: r.factories(),
		Steps: []resource.TestStep{{
			PreConfig: func() {
				r.space.Create("/_zklocking", nil, zktest.Persistent)
				r.space.Create(lockDir, nil, zktest.Persistent)
				create := func(name, text string, mode zktest.Mode) {
					made = append(made, r.space.Create(lockDir+"/"+name, []byte(text), mode))
				}
				create("sh", "the gem", zktest.EphemeralSequential)
				create("0123__rlock__", "kazoo \x1b[31m\x00", zktest.EphemeralSequential)
				create("_c_77-lock-", "", zktest.EphemeralSequential)
				create("ex-00__lock__", `{"v":1,"owner":"o","info":"i","run":"r","client":"c","host":"h","pid":7,"since":"2026-01-02T03:04:05Z","held_since":"2026-01-02T04:05:06Z"}`, zktest.EphemeralSequential)
				create("of no queue", "", zktest.Persistent)
			},
			Config: r.config(data()),
			ConfigStateChecks: dataCheck(map[string]knownvalue.Check{
				"held":             knownvalue.Bool(true),
				"held_by_this_run": knownvalue.Bool(false),
				"holders": knownvalue.ListExact([]knownvalue.Check{
					foreign("/sh", "shared", knownvalue.StringExact("the gem")),
					foreign("/0123__rlock__", "shared", knownvalue.StringExact("kazoo \uFFFD[31m\uFFFD")),
				}),
				"waiters": knownvalue.ListExact([]knownvalue.Check{
					foreign("/_c_77-lock-", "exclusive", null),
					entry("/ex-00__lock__", "exclusive", knownvalue.StringExact("o"), knownvalue.StringExact("i"),
						knownvalue.StringExact("r"), knownvalue.StringExact("c"), knownvalue.StringExact("h"), knownvalue.Int64Exact(7),
						knownvalue.StringExact("2026-01-02T03:04:05Z"), knownvalue.StringExact("2026-01-02T04:05:06Z")),
				}),
				"unrecognized": knownvalue.ListExact([]knownvalue.Check{knownvalue.StringExact("of no queue")}),
			}),
		}},
		CheckDestroy: func(*terraform.State) error {
			for _, znode := range append(made, lockDir) {
				r.space.Delete(znode)
			}
			return nil
		},
	})
}

// A semaphore has as many holders as slots, in a directory of its own.
func TestAccDataOfASemaphore(t *testing.T) {
	r := newRig(t)
	const dir = "/_zksemaphore/l"
	var made []string
	step := func(slots, holders int) resource.TestStep {
		return resource.TestStep{
			Config: r.config(data(fmt.Sprint("slots = ", slots))),
			ConfigStateChecks: dataCheck(map[string]knownvalue.Check{
				"holders": knownvalue.ListSizeExact(holders),
				"waiters": knownvalue.ListSizeExact(3 - holders),
			}),
		}
	}
	first := step(1, 1)
	first.PreConfig = func() {
		r.space.Create("/_zksemaphore", nil, zktest.Persistent)
		r.space.Create(dir, nil, zktest.Persistent)
		for range 3 {
			made = append(made, r.space.Create(dir+"/sem", nil, zktest.EphemeralSequential))
		}
	}
	resource.ParallelTest(t, resource.TestCase{
		ProtoV6ProviderFactories: r.factories(),
		Steps:                    []resource.TestStep{first, step(2, 2), step(5, 3)},
		CheckDestroy: func(*terraform.State) error {
			for _, znode := range append(made, dir) {
				r.space.Delete(znode)
			}
			return nil
		},
	})
}
