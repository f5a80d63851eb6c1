// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/compare"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

var (
	held  = tfjsonpath.New("held")
	znode = tfjsonpath.New("znode")
	token = tfjsonpath.New("fencing_token")
)

// stateHeld and stateFree check that a lock is held, or not.
func stateHeld() []statecheck.StateCheck {
	return []statecheck.StateCheck{
		statecheck.ExpectKnownValue(theLock, held, knownvalue.Bool(true)),
		statecheck.ExpectKnownValue(theLock, znode, knownvalue.StringRegexp(regexp.MustCompile(`/ex-[0-9a-f]{32}__lock__\d{10}$`))),
		statecheck.ExpectKnownValue(theLock, token, knownvalue.NotNull()),
	}
}

func stateFree() []statecheck.StateCheck {
	return []statecheck.StateCheck{
		statecheck.ExpectKnownValue(theLock, held, knownvalue.Bool(false)),
		statecheck.ExpectKnownValue(theLock, znode, knownvalue.Null()),
		statecheck.ExpectKnownValue(theLock, token, knownvalue.Null()),
	}
}

// checkFree is stateFree for a step that only refreshes.
var checkFree = resource.ComposeAggregateTestCheckFunc(
	resource.TestCheckResourceAttr(theLock, "held", "false"),
	resource.TestCheckNoResourceAttr(theLock, "znode"),
	resource.TestCheckNoResourceAttr(theLock, "fencing_token"),
)

// planTake checks that the plan takes the lock in place.
func planTake() resource.ConfigPlanChecks {
	return resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
		plancheck.ExpectResourceAction(theLock, plancheck.ResourceActionUpdate),
		plancheck.ExpectKnownValue(theLock, held, knownvalue.Bool(true)),
		plancheck.ExpectUnknownValue(theLock, znode),
		plancheck.ExpectUnknownValue(theLock, token),
	}}
}

func planAction(action plancheck.ResourceActionType) resource.ConfigPlanChecks {
	return resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction(theLock, action)}}
}

// there checks that the lock's directory has exactly one znode, that of the state.
func (r *rig) there(dir string) resource.TestCheckFunc {
	return func(s *terraform.State) error {
		children := r.space.Children(dir)
		path := s.RootModule().Resources[theLock].Primary.Attributes["znode"]
		if len(children) != 1 || path != r.space.Path(dir+"/"+children[0]) {
			return fmt.Errorf("there is %q in %s, and the state has %s", children, dir, path)
		}
		return nil
	}
}

// gone checks that the lock has no directory.
func (r *rig) gone(dir string) resource.TestCheckFunc {
	return func(*terraform.State) error {
		if r.space.Exists(dir) {
			return fmt.Errorf("%s is there, with %q", dir, r.space.Children(dir))
		}
		return nil
	}
}

func TestAccLockIsHeldForTheRun(t *testing.T) {
	r := newRig(t)
	resource.ParallelTest(t, resource.TestCase{
		ProtoV6ProviderFactories: r.factories(),
		Steps: []resource.TestStep{{
			Config:           r.config(lock()),
			ConfigPlanChecks: planAction(plancheck.ResourceActionCreate),
			ConfigStateChecks: append(stateHeld(),
				statecheck.ExpectKnownValue(theLock, tfjsonpath.New("lockwait"), knownvalue.Int64Exact(0)),
				statecheck.ExpectKnownValue(theLock, tfjsonpath.New("required"), knownvalue.Bool(true)),
				statecheck.ExpectKnownValue(theLock, tfjsonpath.New("hold_until"), knownvalue.StringExact("run_ends")),
				statecheck.ExpectKnownValue(theLock, tfjsonpath.New("info"), knownvalue.Null()),
				statecheck.ExpectKnownValue(theLock, tfjsonpath.New("zookeeper"), knownvalue.Null()),
			),
			Check: r.there(lockDir),
			// While the run lasts the plan is empty, which the test framework checks.
		}},
		CheckDestroy: r.gone(lockDir),
	})
}

// Every run takes the lock again, and each hold has a greater token.
func TestAccLockIsTakenAgainByTheNextRun(t *testing.T) {
	r := newRig(t)
	znodes, grows := statecheck.CompareValue(compare.ValuesDiffer()), r.tokenGrows()
	take := func(plan resource.ConfigPlanChecks) resource.TestStep {
		return resource.TestStep{
			PreConfig:         r.nextRun,
			Config:            r.config(lock()),
			ConfigPlanChecks:  plan,
			ConfigStateChecks: append(stateHeld(), znodes.AddStateValue(theLock, znode), grows),
			Check:             r.there(lockDir),
		}
	}
	resource.ParallelTest(t, resource.TestCase{
		ProtoV6ProviderFactories: r.factories(),
		Steps: []resource.TestStep{
			take(planAction(plancheck.ResourceActionCreate)),
			take(planTake()),
			{
				PreConfig: r.nextRun, RefreshState: true, ExpectNonEmptyPlan: true,
				RefreshPlanChecks: resource.RefreshPlanChecks{PostRefresh: planTake().PreApply},
				Check:             checkFree,
			},
			take(planTake()),
		},
		CheckDestroy: r.gone(lockDir),
	})
}

// A lock that this run holds is not released for a change that does not need it.
func TestAccLockIsKeptWhileArgumentsChange(t *testing.T) {
	r := newRig(t)
	znodes, tokens := statecheck.CompareValue(compare.ValuesSame()), statecheck.CompareValue(compare.ValuesSame())
	step := func(action plancheck.ResourceActionType, arguments ...string) resource.TestStep {
		return resource.TestStep{
			Config:            r.config(lock(arguments...)),
			ConfigPlanChecks:  planAction(action),
			ConfigStateChecks: append(stateHeld(), znodes.AddStateValue(theLock, znode), tokens.AddStateValue(theLock, token)),
			Check:             r.there(lockDir),
		}
	}
	resource.ParallelTest(t, resource.TestCase{
		ProtoV6ProviderFactories: r.factories(),
		Steps: []resource.TestStep{
			step(plancheck.ResourceActionCreate),
			step(plancheck.ResourceActionUpdate, "lockwait = 7"),
			step(plancheck.ResourceActionUpdate, "lockwait = -1"),
			step(plancheck.ResourceActionUpdate, `info = "new"`),
			step(plancheck.ResourceActionUpdate, "required = false"),
			step(plancheck.ResourceActionUpdate, `on_lost = "continue"`),
			step(plancheck.ResourceActionUpdate),
		},
		CheckDestroy: r.gone(lockDir),
	})
}

// Another lockid or ensemble replaces the resource, another way to take the lock does not.
// Both release the old lock.
func TestAccLockIsTakenAnew(t *testing.T) {
	const replace, update = plancheck.ResourceActionReplace, plancheck.ResourceActionUpdate
	for name, change := range map[string]struct {
		argument, dir string
		action        plancheck.ResourceActionType
	}{
		"lockid":     {`lockid = "other"`, "/_zklocking/other", replace},
		"zookeeper":  {`zookeeper = "ELSEWHERE"`, lockDir, replace},
		"hold_until": {`hold_until = "destroyed"`, lockDir, update},
		"mode":       {`mode = "shared"`, lockDir, update},
		"slots":      {`slots = 2`, "/_zksemaphore/l", update},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			there := r
			if strings.Contains(change.argument, "ELSEWHERE") {
				there = &rig{space: zktest.NewSpace(t)}
				change.argument = strings.ReplaceAll(change.argument, "ELSEWHERE", there.space.ConnectString())
			}
			znodes := statecheck.CompareValue(compare.ValuesDiffer())
			resource.ParallelTest(t, resource.TestCase{
				ProtoV6ProviderFactories: r.factories(),
				Steps: []resource.TestStep{{
					Config:            r.config(lock()),
					ConfigStateChecks: append(stateHeld(), znodes.AddStateValue(theLock, znode)),
					Check:             r.there(lockDir),
				}, {
					Config:           r.config(lock(change.argument)),
					ConfigPlanChecks: planAction(change.action),
					ConfigStateChecks: []statecheck.StateCheck{
						statecheck.ExpectKnownValue(theLock, held, knownvalue.Bool(true)),
						znodes.AddStateValue(theLock, znode),
					},
					Check: func(s *terraform.State) error {
						if there != r || change.dir != lockDir {
							if err := r.gone(lockDir)(s); err != nil {
								return err
							}
						}
						return there.there(change.dir)(s)
					},
				}},
				CheckDestroy: resource.ComposeAggregateTestCheckFunc(r.gone(lockDir), there.gone(change.dir)),
			})
		})
	}
}

// It is an error if another run has the lock, or a warning if the lock is not required.
func TestAccLockThatIsBusy(t *testing.T) {
	r := newRig(t)
	var other string
	resource.ParallelTest(t, resource.TestCase{
		ProtoV6ProviderFactories: r.factories(),
		Steps: []resource.TestStep{{
			PreConfig: func() {
				r.space.Create("/_zklocking", nil, zktest.Persistent)
				r.space.Create(lockDir, nil, zktest.Persistent)
				other = r.space.Create(lockDir+"/lock-", []byte("another client"), zktest.EphemeralSequential)
			},
			Config:      r.config(lock("lockwait = 1")),
			ExpectError: regexp.MustCompile(`(?s)Lock Is Held.*"l" is held by.*another client.*lockwait = 1 seconds.*place 1`),
		}, {
			Config:             r.config(lock("required = false")),
			ConfigStateChecks:  stateFree(),
			ExpectNonEmptyPlan: true, // each run tries again
		}, {
			PreConfig: func() { r.space.Delete(other) },
			Config:    r.config(lock("required = false")),
			ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
				plancheck.ExpectResourceAction(theLock, plancheck.ResourceActionUpdate),
				plancheck.ExpectUnknownValue(theLock, held),
				plancheck.ExpectUnknownValue(theLock, znode),
			}},
			ConfigStateChecks: stateHeld(),
			Check:             r.there(lockDir),
		}},
		CheckDestroy: func(*terraform.State) error {
			if r.space.Exists(lockDir) {
				r.space.Delete(lockDir) // it was the other's
			}
			return nil
		},
	})
}

// If somebody deletes the znode, the lock is no longer held, and is taken again.
func TestAccLockWhoseZnodeWasDeleted(t *testing.T) {
	r := newRig(t)
	znodes := statecheck.CompareValue(compare.ValuesDiffer())
	remove := func() { r.space.Delete(lockDir + "/" + r.space.Children(lockDir)[0]) }
	resource.ParallelTest(t, resource.TestCase{
		ProtoV6ProviderFactories: r.factories(),
		Steps: []resource.TestStep{{
			Config:            r.config(lock()),
			ConfigStateChecks: append(stateHeld(), znodes.AddStateValue(theLock, znode)),
		}, {
			PreConfig: remove, RefreshState: true, ExpectNonEmptyPlan: true,
			Check: checkFree,
		}, {
			Config:            r.config(lock()),
			ConfigPlanChecks:  planTake(),
			ConfigStateChecks: append(stateHeld(), znodes.AddStateValue(theLock, znode)),
			Check:             r.there(lockDir),
		}},
		CheckDestroy: r.gone(lockDir),
	})
}

// tokenGrows fails if a lock's token is not greater than when it was last called.
func (r *rig) tokenGrows() statecheck.StateCheck {
	var last int64
	return statecheck.ExpectKnownValue(theLock, token, knownvalue.Int64Func(func(now int64) error {
		if now <= last {
			return fmt.Errorf("the token is %d after %d", now, last)
		}
		last = now
		return nil
	}))
}
