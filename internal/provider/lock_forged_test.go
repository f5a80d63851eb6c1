// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/terraform"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// forged is another client's contender with the name and the data of this run's own.
func (r *rig) forged(dir string) string {
	r.t.Helper()
	for _, path := range []string{"/_zklocking", dir} {
		if !r.space.Exists(path) {
			r.space.Create(path, nil, zktest.Persistent)
		}
	}
	return r.space.Create(fmt.Sprintf("%s/ex-%s%016x__lock__", dir, r.runtime.Run.ID, 0),
		fmt.Appendf(nil, `{"v":1,"owner":"me","run":%q,"durable":true}`, r.runtime.Run.ID), zktest.EphemeralSequential)
}

// This run holds only what it was granted, whatever a znode says. A module that
// refuses to work unguarded is not deceived, and a run waits for it as for any contender.
func TestAccForgedContenderIsNotOurs(t *testing.T) {
	r := newRig(t)
	var forged string
	resource.ParallelTest(t, resource.TestCase{
		ProtoV6ProviderFactories: r.factories(),
		Steps: []resource.TestStep{{
			PreConfig: func() { forged = r.forged(lockDir) },
			Config:    r.config(data()),
			ConfigStateChecks: dataCheck(map[string]knownvalue.Check{
				"held": knownvalue.Bool(true), "held_by_this_run": knownvalue.Bool(false), "holders": knownvalue.ListSizeExact(1),
			}),
		}, {
			Config:      r.config(lock()),
			ExpectError: regexp.MustCompile("Lock Is Held"),
		}, {
			PreConfig:         func() { r.space.Delete(forged, lockDir) },
			Config:            r.config(lock(), data("depends_on = [clocker_lock.a]")),
			ConfigStateChecks: dataCheck(map[string]knownvalue.Check{"held_by_this_run": knownvalue.Bool(true)}),
		}},
		CheckDestroy: r.gone(lockDir),
	})
}

// If somebody deletes a contender and creates another with the same name and data, the run
// does not hold the lock.
func TestAccReplacedContenderIsNotOurs(t *testing.T) {
	r := newRig(t)
	var znode string
	resource.ParallelTest(t, resource.TestCase{
		ProtoV6ProviderFactories: r.factories(),
		Steps: []resource.TestStep{{
			Config: r.config(lock("required = false")),
			Check: func(s *terraform.State) error {
				znode = strings.TrimPrefix(s.RootModule().Resources[theLock].Primary.Attributes["znode"], r.space.Chroot())
				text, _ := r.space.Get(znode)
				r.space.Delete(znode)
				if !r.space.Exists(lockDir) {
					r.space.Create(lockDir, nil, zktest.Persistent)
				}
				r.space.Create(znode, text, zktest.Ephemeral)
				return nil
			},
			ExpectNonEmptyPlan: true, // the lock is not held any more
		}, {
			Config:             r.config(lock("required = false"), data("depends_on = [clocker_lock.a]")),
			ConfigStateChecks:  dataCheck(map[string]knownvalue.Check{"held": knownvalue.Bool(true), "held_by_this_run": knownvalue.Bool(false)}),
			ExpectNonEmptyPlan: true,
		}},
		CheckDestroy: func(*terraform.State) error {
			r.space.Delete(znode, lockDir)
			return nil
		},
	})
}

// A provider that does not know its run holds nothing, even if there are contenders without
// a run.
func TestUnknownRunHoldsNothing(t *testing.T) {
	t.Parallel()
	p := New("test", Runtime{RunError: errNoAnswer})().(*clockerProvider)
	if own, err := p.runtime.Holder.Own(context.Background(), lockDir); err != nil || len(own) > 0 {
		t.Errorf("it holds %v, %v", own, err)
	}
}
