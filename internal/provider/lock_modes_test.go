// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// locks returns resources with these names and arguments, each of which depends on the one before.
func locks(names, arguments string) string {
	var text strings.Builder
	before := ""
	for _, name := range strings.Fields(names) {
		text.WriteString(strings.Replace(lock(arguments, before), `"clocker_lock" "a"`, fmt.Sprintf(`"clocker_lock" %q`, name), 1))
		before = fmt.Sprintf("depends_on = [clocker_lock.%s]", name)
	}
	return text.String()
}

// named checks that all those resources are held, with znodes of such names.
func named(names, pattern string) []statecheck.StateCheck {
	var checks []statecheck.StateCheck
	for _, name := range strings.Fields(names) {
		checks = append(checks,
			statecheck.ExpectKnownValue("clocker_lock."+name, held, knownvalue.Bool(true)),
			statecheck.ExpectKnownValue("clocker_lock."+name, znode, knownvalue.StringRegexp(regexp.MustCompile(`^.*`+pattern+`\d{10}$`))))
	}
	return checks
}

// children checks how many znodes a directory has.
func (r *rig) children(dir string, want int) resource.TestCheckFunc {
	return func(*terraform.State) error {
		if names := r.space.Children(dir); len(names) != want {
			return fmt.Errorf("there is %q in %s, want %d", names, dir, want)
		}
		return nil
	}
}

const (
	standardName  = `/_zklocking/l/ex-[0-9a-f]{32}__lock__`
	sharedName    = `/_zklocking/l/sh-[0-9a-f]{32}__rlock__`
	semaphoreName = `/_zksemaphore/l/sem-[0-9a-f]{32}__lock__`
	curatorName   = `/_zklocking/l/ex-[0-9a-f]{32}-lock-`
	semaphoreDir  = "/_zksemaphore/l"
)

// Blocks of one run and of other runs hold a shared lock at the same time, in both lifetimes.
func TestAccHeldTogether(t *testing.T) {
	for _, until := range holdUntils {
		for _, test := range []struct{ arguments, name, dir string }{
			{`mode = "shared"`, sharedName, lockDir},
			{`slots = 4`, semaphoreName, semaphoreDir},
		} {
			t.Run(fmt.Sprintf("%s %s", until, test.arguments), func(t *testing.T) {
				r := newRig(t)
				arguments := fmt.Sprintf("%s\n  hold_until = %q", test.arguments, until)
				shares := map[holdUntil]int{runEnds: 1, destroyed: 2}[until] // of this run's
				elsewhere := takeElsewhere(r, test.arguments)
				resource.ParallelTest(t, resource.TestCase{
					ProtoV6ProviderFactories: r.factories(),
					Steps: []resource.TestStep{{
						PreConfig:         elsewhere.take,
						Config:            r.config(locks("a b", arguments)),
						ConfigStateChecks: named("a b", test.name),
						Check:             r.children(test.dir, 1+shares),
					}, {
						PreConfig: elsewhere.give,
						Config:    r.config(locks("a b", arguments)),
						Check:     r.children(test.dir, shares),
					}},
					CheckDestroy: r.gone(test.dir),
				})
			})
		}
	}
}

// elsewhere lets another run hold the lock, without Terraform.
type elsewhere struct {
	r    *rig
	want locker.Request
	lock *locker.Lock
}

func takeElsewhere(r *rig, arguments string) *elsewhere {
	want := locker.Request{LockID: "l", Dir: r.space.Path(lockDir), Data: locker.Data{Owner: "elsewhere", Run: "feedfeedfeedfeed"}}
	switch {
	case strings.Contains(arguments, "shared"):
		want.Mode = locker.Shared
	case strings.Contains(arguments, "slots"):
		_, _ = fmt.Sscanf(arguments, "slots = %d", &want.Slots)
		want.Dir = r.space.Path(semaphoreDir)
	}
	return &elsewhere{r: r, want: want}
}

func (e *elsewhere) sessions(ctx context.Context) (*zookeeper.Session, error) {
	return e.r.runtime.Sessions.Session(ctx, zookeeper.Config{
		Servers: []string{e.r.space.Addr()}, SessionTimeout: time.Minute, ConnectTimeout: time.Minute,
	})
}

func (e *elsewhere) take() {
	var err error
	if e.lock, err = locker.Acquire(e.r.t.Context(), e.sessions, e.want); err != nil {
		e.r.t.Fatal(err)
	}
}

func (e *elsewhere) give() {
	if err := e.lock.Release(e.r.t.Context()); err != nil {
		e.r.t.Error(err)
	}
}

// A block that asks for more than what its run holds fails, whatever its lockwait.
func TestAccTakenTwice(t *testing.T) {
	for name, test := range map[string]struct{ first, second, dir string }{
		"a reader and a writer": {`mode = "shared"`, "", lockDir},
		"other slots":           {"slots = 1", "slots = 2", semaphoreDir},
		"durable and durable":   {`hold_until = "destroyed"`, `hold_until = "destroyed"`, lockDir},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			resource.ParallelTest(t, resource.TestCase{
				ProtoV6ProviderFactories: r.factories(),
				Steps: []resource.TestStep{{
					Config:      r.config(locks("a", test.first), strings.Replace(lock(test.second, "lockwait = -1", "depends_on = [clocker_lock.a]"), `"a"`, `"b"`, 1)),
					ExpectError: regexp.MustCompile(`(?s)Lock Held In Another Way By This Run.*"l"`),
				}},
				CheckDestroy: r.gone(test.dir),
			})
		})
	}
}

// Blocks that disagree about the lock are told both settings, and who has the other one.
func TestAccDisagreement(t *testing.T) {
	for name, test := range map[string]struct{ there, here, says string }{
		"slots":              {"slots = 2", "slots = 3", `slots = 3\s+here\s+and\s+a\s+semaphore\s+with\s+slots\s+=\s+2\s+for\s+elsewhere`},
		"reader and slots":   {`mode = "shared"`, "slots = 3", `slots = 3\s+here\s+and\s+a\s+plain\s+lock,\s+without\s+slots\s+for\s+elsewhere`},
		"slots and a writer": {"slots = 2", "", `a\s+plain\s+lock,\s+without\s+slots\s+here\s+and\s+a\s+semaphore\s+with\s+slots\s+=\s+2\s+for\s+elsewhere`},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			// Only a common lock_root makes this possible.
			elsewhere := takeElsewhere(r, test.there)
			elsewhere.want.Dir = r.space.Path("/locks/l")
			r.space.AllowEmpty("/locks")
			config := strings.Replace(r.config(lock(test.here, "lockwait = -1")), "{\n", "{\n  lock_root = \"/locks\"\n", 1)
			resource.ParallelTest(t, resource.TestCase{
				ProtoV6ProviderFactories: r.factories(),
				Steps: []resource.TestStep{{
					PreConfig:   elsewhere.take,
					Config:      config,
					ExpectError: regexp.MustCompile(`(?s)Contenders Disagree About Slots.*` + strings.ReplaceAll(test.says, " ", `\s+`)),
				}},
			})
			if names := r.space.Children("/locks/l"); len(names) != 1 {
				t.Errorf("there is %q, want elsewhere's alone", names)
			}
			elsewhere.give()
		})
	}
}

// The layout comes from the block, else from the provider, else from the environment.
func TestAccLayout(t *testing.T) {
	withProvider := func(r *rig, arguments string) string {
		return strings.Replace(r.config(lock(arguments)), "{\n", "{\n  layout = \"curator\"\n", 1)
	}
	t.Run("block", func(t *testing.T) {
		r := newRig(t)
		resource.ParallelTest(t, resource.TestCase{
			ProtoV6ProviderFactories: r.factories(),
			Steps: []resource.TestStep{
				{Config: r.config(lock(`layout = "curator"`)), ConfigStateChecks: named("a", curatorName)},
				{
					Config:            r.config(lock(`layout = "standard"`)),
					ConfigPlanChecks:  planAction(plancheck.ResourceActionUpdate),
					ConfigStateChecks: named("a", standardName),
				},
			},
			CheckDestroy: r.gone(lockDir),
		})
	})
	t.Run("provider", func(t *testing.T) {
		r := newRig(t)
		resource.ParallelTest(t, resource.TestCase{
			ProtoV6ProviderFactories: r.factories(),
			Steps: []resource.TestStep{
				{Config: withProvider(r, ""), ConfigStateChecks: named("a", curatorName)},
				{Config: withProvider(r, `layout = "standard"`), ConfigStateChecks: named("a", standardName)},
				{Config: withProvider(r, "layout = \"standard\"\n  slots = 2"), ConfigStateChecks: named("a", semaphoreName)},
			},
			CheckDestroy: resource.ComposeAggregateTestCheckFunc(r.gone(lockDir), r.gone(semaphoreDir)),
		})
	})
	t.Run("environment", func(t *testing.T) {
		r := newRig(t)
		t.Setenv("CLOCKER_LAYOUT", "curator")
		resource.Test(t, resource.TestCase{
			ProtoV6ProviderFactories: r.factories(),
			Steps:                    []resource.TestStep{{Config: r.config(lock()), ConfigStateChecks: named("a", curatorName)}},
			CheckDestroy:             r.gone(lockDir),
		})
	})
}

// The plan refuses arguments that contradict each other, with an error on an attribute.
func TestAccModesThatCannotBe(t *testing.T) {
	r := newRig(t)
	curator := func(config string) string { return strings.Replace(config, "{\n", "{\n  layout = \"curator\"\n", 1) }
	var steps []resource.TestStep
	for config, says := range map[string]string{
		r.config(lock(`mode = "exclusive"`, "slots = 2")):                    `Invalid Attribute Combination`,
		r.config(lock(`mode = "semaphore"`)):                                 `(?s)Invalid Attribute Value Match.*"exclusive" "shared"`,
		r.config(lock(`mode = ""`)):                                          `Invalid Attribute Value Match`,
		r.config(lock("slots = 0")):                                          `(?s)Invalid Attribute Value.*between 1 and 1000`,
		r.config(lock("slots = 1001")):                                       `(?s)Invalid Attribute Value.*between 1 and 1000`,
		r.config(lock(`layout = "kazoo"`)):                                   `(?s)Invalid Attribute Value Match.*"standard" "curator"`,
		r.config(lock(`layout = "curator"`, `mode = "shared"`)):              `Layout For Exclusive Locks Only`,
		r.config(lock(`layout = "curator"`, "slots = 2")):                    `Layout For Exclusive Locks Only`,
		curator(r.config(lock("slots = 2"))):                                 `(?s)Layout For Exclusive Locks Only.*layout\s+=\s+"standard"`,
		curator(r.config(lock(`mode = "shared"`, `hold_until="destroyed"`))): `Layout For Exclusive Locks Only`,
	} {
		steps = append(steps, resource.TestStep{Config: config, PlanOnly: true, ExpectError: regexp.MustCompile(says)})
	}
	resource.ParallelTest(t, resource.TestCase{
		ProtoV6ProviderFactories: r.factories(),
		Steps:                    steps,
	})
	if tree := r.space.Tree(); len(tree) > 0 {
		t.Errorf("there is %q", tree)
	}
}

// A provider with Curator's layout can look at semaphores.
func TestAccDataDoesNotMindTheLayout(t *testing.T) {
	r := newRig(t)
	elsewhere := takeElsewhere(r, "slots = 2")
	resource.ParallelTest(t, resource.TestCase{
		ProtoV6ProviderFactories: r.factories(),
		Steps: []resource.TestStep{{
			PreConfig: elsewhere.take,
			Config:    strings.Replace(r.config(data("slots = 2")), "{\n", "{\n  layout = \"curator\"\n", 1),
			ConfigStateChecks: []statecheck.StateCheck{
				statecheck.ExpectKnownValue(theData, tfjsonpath.New("holders").AtSliceIndex(0).AtMapKey("mode"), knownvalue.StringExact("semaphore")),
			},
		}},
	})
	elsewhere.give()
}

// A durable lock of any kind is imported with its arguments, so the next plan is empty.
func TestAccImportOfModes(t *testing.T) {
	for name, test := range map[string]struct{ arguments, dir string }{
		"shared":    {`mode = "shared"`, lockDir},
		"semaphore": {"slots = 3", semaphoreDir},
		"curator":   {`layout = "curator"`, lockDir},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			config := r.config(lock(test.arguments, `hold_until = "destroyed"`))
			resource.ParallelTest(t, resource.TestCase{
				ProtoV6ProviderFactories: r.factories(),
				Steps: []resource.TestStep{
					{Config: config},
					{Config: config, ResourceName: theLock, ImportState: true, ImportStateId: "l", ImportStateVerify: true, ImportStateVerifyIdentifierAttribute: "lockid"},
				},
				CheckDestroy: r.gone(test.dir),
			})
		})
	}
}
