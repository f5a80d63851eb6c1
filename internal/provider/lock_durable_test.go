// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/compare"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

const durable = `hold_until = "destroyed"`

// persistent checks that the lock's znode belongs to no session.
func (r *rig) persistent(s *terraform.State) error {
	if err := r.there(lockDir)(s); err != nil {
		return err
	}
	name := r.space.Children(lockDir)[0]
	if _, stat := r.space.Get(lockDir + "/" + name); stat.EphemeralOwner != 0 {
		return fmt.Errorf("%s ends with the session %#x", name, stat.EphemeralOwner)
	}
	return nil
}

// A durable lock is held until it is destroyed. A later run changes it in place and
// releases it.
func TestAccDurableLockOutlivesItsRun(t *testing.T) {
	r := newRig(t)
	znodes, tokens := statecheck.CompareValue(compare.ValuesSame()), statecheck.CompareValue(compare.ValuesSame())
	step := func(action plancheck.ResourceActionType, arguments ...string) resource.TestStep {
		return resource.TestStep{
			PreConfig:         r.nextRun,
			Config:            r.config(lock(append(arguments, durable)...)),
			ConfigPlanChecks:  planAction(action),
			ConfigStateChecks: append(stateHeld(), znodes.AddStateValue(theLock, znode), tokens.AddStateValue(theLock, token)),
			Check:             r.persistent,
		}
	}
	resource.ParallelTest(t, resource.TestCase{
		ProtoV6ProviderFactories: r.factories(),
		Steps: []resource.TestStep{
			step(plancheck.ResourceActionCreate),
			step(plancheck.ResourceActionNoop),
			step(plancheck.ResourceActionUpdate, `info = "new"`),
			step(plancheck.ResourceActionUpdate, `info = "new"`, "lockwait = 5"),
			{PreConfig: r.nextRun, RefreshState: true}, // expects that there is nothing to do
		},
		CheckDestroy: r.gone(lockDir),
	})
}

// If somebody deletes the znode of a durable lock, the next apply takes the lock again, at
// the end of the queue.
func TestAccDurableLockWhoseZnodeWasDeleted(t *testing.T) {
	r := newRig(t)
	znodes := statecheck.CompareValue(compare.ValuesDiffer())
	var other string
	steal := func() {
		r.nextRun()
		other = r.space.Create(lockDir+"/lock-", []byte("another client"), zktest.EphemeralSequential)
		r.space.Delete(lockDir + "/" + r.space.Children(lockDir)[0])
	}
	resource.ParallelTest(t, resource.TestCase{
		ProtoV6ProviderFactories: r.factories(),
		Steps: []resource.TestStep{{
			Config:            r.config(lock(durable)),
			ConfigStateChecks: append(stateHeld(), znodes.AddStateValue(theLock, znode)),
		}, {
			PreConfig:   steal,
			Config:      r.config(lock(durable)),
			ExpectError: regexp.MustCompile(`(?s)Lock Is Held.*another client`),
		}, {
			PreConfig:         func() { r.space.Delete(other) },
			Config:            r.config(lock(durable)),
			ConfigPlanChecks:  planAction(plancheck.ResourceActionCreate),
			ConfigStateChecks: append(stateHeld(), znodes.AddStateValue(theLock, znode)),
			Check:             r.persistent,
		}},
		CheckDestroy: r.gone(lockDir),
	})
}

// A durable lock keeps another run out. That run is told who has the lock.
func TestAccDurableLockKeepsOthersOut(t *testing.T) {
	r := newRig(t)
	second := `
resource "clocker_lock" "b" {
  lockid = "l"
  depends_on = [clocker_lock.a]
}
`
	resource.ParallelTest(t, resource.TestCase{
		ProtoV6ProviderFactories: r.factories(),
		Steps: []resource.TestStep{{
			Config: r.config(lock(durable, `info = "reserved"`)),
		}, {
			PreConfig:   r.nextRun,
			Config:      r.config(lock(durable, `info = "reserved"`), second),
			ExpectError: regexp.MustCompile(`(?s)clocker_lock" "b".*Lock\s"l"\sis\sheld\sby.*durable.*reserved`),
		}},
		CheckDestroy: r.gone(lockDir),
	})
}

// A durable lock can be imported by its lockid. For any other the error says who holds it.
func TestAccDurableLockIsImported(t *testing.T) {
	r := newRig(t)
	resource.ParallelTest(t, resource.TestCase{
		ProtoV6ProviderFactories: r.factories(),
		Steps: []resource.TestStep{{
			Config: r.config(lock(durable, `info = "kept"`)),
		}, {
			Config: r.config(lock(durable, `info = "kept"`)), ResourceName: theLock,
			ImportState: true, ImportStateId: "l", ImportStateVerify: true, ImportStateVerifyIdentifierAttribute: "lockid",
		}, {
			Config: r.config(lock(durable)), ResourceName: theLock,
			ImportState: true, ImportStateId: "nobody's", ExpectError: regexp.MustCompile(`(?s)No Durable Lock To Import.*Nobody`),
		}},
		CheckDestroy: r.gone(lockDir),
	})
}

// A lock that ends with its run cannot be imported, and the error says who holds it.
func TestAccLockOfARunIsNotImported(t *testing.T) {
	r := newRig(t)
	resource.ParallelTest(t, resource.TestCase{
		ProtoV6ProviderFactories: r.factories(),
		Steps: []resource.TestStep{{
			Config: r.config(lock(`info = "mine"`)),
		}, {
			Config: r.config(lock(`info = "mine"`)), ResourceName: theLock,
			ImportState: true, ImportStateId: "l", ExpectError: regexp.MustCompile(`(?s)No Durable Lock To Import.*process \d+.*mine`),
		}},
		CheckDestroy: r.gone(lockDir),
	})
}

// The old lock is released and the new one taken.
func TestAccDurableLockIsTakenAnew(t *testing.T) {
	for name, change := range map[string]struct {
		arguments []string
		dir       string
		action    plancheck.ResourceActionType
	}{
		"lockid":     {[]string{durable, `lockid = "other"`}, "/_zklocking/other", plancheck.ResourceActionReplace},
		"hold_until": {[]string{`hold_until = "run_ends"`}, lockDir, plancheck.ResourceActionUpdate},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			znodes := statecheck.CompareValue(compare.ValuesDiffer())
			resource.ParallelTest(t, resource.TestCase{
				ProtoV6ProviderFactories: r.factories(),
				Steps: []resource.TestStep{{
					Config:            r.config(lock(durable)),
					ConfigStateChecks: []statecheck.StateCheck{znodes.AddStateValue(theLock, znode)},
					Check:             r.there(lockDir),
				}, {
					Config:            r.config(lock(change.arguments...)),
					ConfigPlanChecks:  planAction(change.action),
					ConfigStateChecks: []statecheck.StateCheck{znodes.AddStateValue(theLock, znode)},
					Check: func(s *terraform.State) error {
						if change.dir != lockDir {
							if err := r.gone(lockDir)(s); err != nil {
								return err
							}
						}
						return r.there(change.dir)(s)
					},
				}},
				CheckDestroy: resource.ComposeAggregateTestCheckFunc(r.gone(lockDir), r.gone(change.dir)),
			})
		})
	}
}
