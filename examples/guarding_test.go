// SPDX-License-Identifier: MPL-2.0

package examples_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/testkit"
)

// The ways to change what a lock guards.
const (
	updated    = "updated"
	replaced   = "replaced"
	removed    = "removed"
	tainted    = "tainted"
	scaledDown = "scaled-down"
	destroyed  = "destroyed"
)

var changesOfAnApply = []string{updated, replaced, removed, tainted, scaledDown}

// remedies are the rows of the table "What is not guarded", and a configuration for each.
var remedies = []struct {
	row     string
	file    string
	edit    func(config string) string
	needs   testkit.Versions
	refuses bool // an apply that does not get the lock fails
}{
	{
		row:  "`ephemeral \"clocker_lock\"`",
		file: "create-before-destroy.tf", edit: without("create_before_destroy"),
		needs: testkit.EphemeralBlocks, refuses: true,
	},
	{
		row:  "`resource \"clocker_lock\"` until the run ends",
		file: "durable.tf", edit: without("hold_until"),
		refuses: true,
	},
	{
		row:   "`ephemeral \"clocker_lock\"`, and `create_before_destroy` on what is guarded",
		file:  "create-before-destroy.tf",
		needs: testkit.EphemeralBlocks, refuses: true,
	},
	{
		row:  "`resource \"clocker_lock\"` until the run ends, and `create_before_destroy` on what is guarded",
		file: "create-before-destroy.tf",
		edit: func(config string) string {
			config = strings.Replace(config, `ephemeral "clocker_lock"`, `resource "clocker_lock"`, 1)
			return strings.Replace(without("hold ")(config), "ephemeral.clocker_lock", "clocker_lock", 1)
		},
		refuses: true,
	},
	{
		row:   "`ephemeral \"clocker_lock\"` without `hold`, and the provider block of what is guarded refers to it",
		file:  "provider.tf",
		needs: testkit.EphemeralBlocks, refuses: true,
	},
	{
		row:  "`resource \"clocker_lock\"` with `hold_until = \"destroyed\"`",
		file: "durable.tf",
	},
	{
		row:   "`action \"clocker_lock\"` with `before_destroy` (Terraform 1.16)",
		file:  "action.tf",
		needs: testkit.DestroyEvents, refuses: true,
	},
}

// guards reads in the table what is guarded.
func guards(t *testing.T, row string) (changes []string) {
	t.Helper()
	for _, line := range strings.Split(read(t, "../templates/guides/which-block.md.tmpl"), "\n") {
		cells := strings.Split(line, " | ")
		if cells[0] != "| "+row || len(cells) != 7 {
			continue
		}
		for i, kinds := range [][]string{{updated}, {replaced, tainted}, {removed}, {scaledDown}, {destroyed}} {
			if strings.HasPrefix(cells[1+i], "yes") {
				changes = append(changes, kinds...)
			}
		}
		return changes
	}
	t.Fatalf("the table has no row %q", row)
	return nil
}

// TestWhatIsGuarded lets another client take the lock between the plan and the apply,
// and looks what is done without it. What the guide says to be guarded has to wait; what
// it says not to be must be seen to happen, or the guide promises too little.
func TestWhatIsGuarded(t *testing.T) {
	t.Parallel()
	for _, remedy := range remedies {
		t.Run(remedy.row, func(t *testing.T) {
			t.Parallel()
			guards := guards(t, remedy.row)
			w := newWorkspace(t, remedy.needs)
			witness := newWitness(t, w)
			config := strings.Replace(read(t, "guides/what-is-not-guarded/"+remedy.file), "lockwait   = 600", "lockwait = 0", 1)
			config = strings.Replace(config, "lockwait = 600", "lockwait = 0", 1)
			if remedy.edit != nil {
				config = remedy.edit(config)
			}
			config = fleetRequirement + config
			judge := func(changes []string) {
				t.Helper()
				unguarded := map[string][]note{}
				for _, n := range witness.seen() {
					if kind := n.server[:strings.LastIndexByte(n.server, '-')]; n.holder != thisRun {
						unguarded[kind] = append(unguarded[kind], n)
					}
				}
				for _, change := range changes {
					kind := change
					if change == destroyed {
						kind = updated // is destroyed like all others
					}
					if guarded := slices.Contains(guards, change); guarded == (len(unguarded[kind]) > 0) {
						t.Errorf("%s: is to be guarded: %v, and was done without the lock: %v", change, guarded, unguarded[kind])
					}
				}
			}

			w.write("main.tf", servers(config, false))
			w.apply("Apply complete!")
			for _, n := range witness.seen() {
				if n.holder != thisRun {
					t.Errorf("nobody else wanted the lock: %v", n)
				}
			}
			w.must("taint", "fleet_server.tainted[0]")
			w.write("main.tf", servers(config, true))
			w.must("plan", "-out=changes.tfplan")
			other := w.hold("web-rollout", somebodyElse)
			output, code := w.Run(w.CLI.Path, "apply", "-no-color", "-input=false", "changes.tfplan")
			if refused := code != 0 && strings.Contains(output, "Lock Is Held"); refused != remedy.refuses {
				t.Errorf("apply beside another client: exit code %d:\n%s", code, output)
			}
			judge(changesOfAnApply)
			w.space.Delete(other)
			w.apply("Apply complete!")

			w.must("plan", "-destroy", "-out=destruction.tfplan")
			witness.seen()
			other = w.hold("web-rollout", somebodyElse)
			w.Run(w.CLI.Path, "apply", "-no-color", "-input=false", "destruction.tfplan")
			judge([]string{destroyed})
			w.space.Delete(other)
			w.destroy()
			w.space.AllowEmpty("/_zklocking/web-rollout")
		})
	}
}

// guardedBlock is the server of an example.
var guardedBlock = regexp.MustCompile(`(?ms)^resource "fleet_server" "web" \{.*?^\}\n`)

// servers is the configuration with servers for each change in place of its own, before
// the change or after.
func servers(config string, after bool) string {
	block := guardedBlock.FindString(config)
	var all strings.Builder
	for _, change := range changesOfAnApply {
		text := strings.Replace(block, `"fleet_server" "web"`, `"fleet_server" "`+change+`"`, 1)
		text = strings.Replace(text, `"web-$`, `"`+change+`-$`, 1)
		if after {
			switch change {
			case updated:
				text = strings.Replace(text, "  image ", "  size  = \"large\"\n  image ", 1)
			case replaced:
				text = strings.Replace(text, "var.image", `"web-1.4.3"`, 1)
			case removed:
				text = ""
			case scaledDown:
				text = strings.Replace(text, "= 2", "= 1", 1)
			}
		}
		all.WriteString(text)
	}
	return guardedBlock.ReplaceAllLiteralString(config, all.String())
}

// without leaves out the lines with a word.
func without(word string) func(string) string {
	line := regexp.MustCompile(`(?m)^.*` + regexp.QuoteMeta(word) + `.*\n`)
	return func(config string) string { return line.ReplaceAllString(config, "") }
}

// must runs a command that has to succeed.
func (w *workspace) must(args ...string) string {
	w.T.Helper()
	args = slices.Insert(args, 1, "-no-color")
	if args[0] == "plan" {
		args = append(args, "-input=false")
	}
	output, code := w.Run(w.CLI.Path, args...)
	if code != 0 {
		w.T.Errorf("%s: exit code %d:\n%s", strings.Join(args, " "), code, output)
	}
	return output
}

// TestWhatIsNotGuardedIsSaidAlike compares the section on all pages that have it.
func TestWhatIsNotGuardedIsSaidAlike(t *testing.T) {
	t.Parallel()
	section := func(page string) string {
		t.Helper()
		const from, to = "\n## What is not guarded\n", "as the last of all.\n"
		_, text, found := strings.Cut(read(t, page), from)
		text, _, ended := strings.Cut(text, to)
		if !found || !ended {
			t.Fatalf("%s has nothing from %q to %q", page, from, to)
		}
		return text
	}
	const guide = "../docs/guides/which-block.md"
	for _, page := range []string{"../docs/resources/lock.md", "../docs/ephemeral-resources/lock.md"} {
		if section(page) != section(guide) {
			t.Errorf("%s has another section than the guide", page)
		}
	}
}

// TestPriceOfThePerpetualChange applies a module twice that is behind a lock, and looks
// whether its server is replaced though nothing has changed.
func TestPriceOfThePerpetualChange(t *testing.T) {
	t.Parallel()
	const call = "  after  = [clocker_lock.rollout] # and no depends_on\n"
	example := read(t, "guides/serializing-rollouts/after.tf")
	c := testkit.Needs(t, testkit.Versions{})
	dependsOn := strings.Replace(example, call, "  depends_on = [clocker_lock.rollout]\n", 1)
	for name, test := range map[string]struct {
		config   string
		needs    testkit.Versions
		replaces bool
	}{
		"a resource and the module depends on it":      {config: dependsOn, replaces: true},
		"a resource and what is in the module depends": {config: example},
		// An ephemeral block is a change in every plan of OpenTofu 1.11, as the resource is.
		"an ephemeral block and the module depends on it": {config: ephemerally(dependsOn), needs: testkit.EphemeralBlocks, replaces: c.Tofu && c.Minor < 12},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorkspace(t, test.needs)
			witness := newWitness(t, w)
			w.write("main.tf", fleetRequirement+test.config)
			w.mkdir("fleet")
			w.write("fleet/main.tf", fleetRequirement+read(t, "guides/serializing-rollouts/fleet/main.tf"))
			w.must("get")
			w.apply("Apply complete!")
			witness.seen()
			w.apply("Apply complete!")
			notes := witness.seen()
			if replaced := len(notes) == 2 && notes[0].what == "delete" && notes[1].what == "create"; replaced != test.replaces || !replaced && len(notes) > 0 {
				t.Errorf("the second apply did %v", notes)
			}
			w.destroy()
		})
	}
}

// ephemerally makes the lock of a configuration an ephemeral block.
func ephemerally(config string) string {
	config = strings.Replace(config, `resource "clocker_lock"`, `ephemeral "clocker_lock"`, 1)
	return strings.Replace(config, "[clocker_lock.", "[ephemeral.clocker_lock.", 1)
}
