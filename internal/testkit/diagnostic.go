// SPDX-License-Identifier: MPL-2.0

//go:build unix

package testkit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Diagnostic is an error or a warning, as -json tells it.
type Diagnostic struct {
	Severity string `json:"severity"`
	Summary  string `json:"summary"`
	Detail   string `json:"detail"`
	Address  string `json:"address"`
	Snippet  struct {
		Context string `json:"context"`
		Code    string `json:"code"`
		Line    int    `json:"start_line"`
	} `json:"snippet"`
}

func (d Diagnostic) String() string {
	return fmt.Sprintf("%s: %s\nin %s %q %q\n%s", d.Severity, d.Summary, d.Address, d.Snippet.Context, d.Snippet.Code, d.Detail)
}

// Diagnostics are those of an ended command that was run with -json.
func (c *Command) Diagnostics() []Diagnostic {
	c.t.Helper()
	var all []Diagnostic
	decoder := json.NewDecoder(strings.NewReader(c.Stdout()))
	for {
		// Apply and plan write a message a line, validate a single object.
		var message struct {
			Diagnostic  *Diagnostic  `json:"diagnostic"`
			Diagnostics []Diagnostic `json:"diagnostics"`
		}
		err := decoder.Decode(&message)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			c.t.Fatalf("%v: %v in:\n%s", c.Cmd.Args, err, c.Stdout())
		}
		if message.Diagnostic != nil {
			all = append(all, *message.Diagnostic)
		}
		all = append(all, message.Diagnostics...)
	}
}

// Err is the only error among the diagnostics, beside Terraform's own about an
// interrupt.
func (c *Command) Err() Diagnostic {
	c.t.Helper()
	var errs []Diagnostic
	for _, d := range c.Diagnostics() {
		if d.Severity == "error" && d.Summary != "execution halted" {
			errs = append(errs, d)
		}
	}
	if len(errs) != 1 {
		c.t.Fatalf("%v: %d errors, want one: %v", c.Cmd.Args, len(errs), errs)
	}
	return errs[0]
}

// Apply starts an apply without questions.
func (r *Rig) Apply(args ...string) *Command {
	r.T.Helper()
	return r.Start(append([]string{"apply", "-json", "-auto-approve", "-input=false"}, args...)...)
}

// Plan makes a plan file and returns what it wants to do with a resource.
func (r *Rig) Plan(address string, args ...string) Change {
	r.T.Helper()
	r.Start(append([]string{"plan", "-json", "-input=false", "-out=" + PlanFile}, args...)...).Succeed()
	show := r.Start("show", "-json", PlanFile)
	show.Succeed()
	var plan struct {
		ResourceChanges []struct {
			Address string `json:"address"`
			Change  Change `json:"change"`
		} `json:"resource_changes"`
	}
	show.Decode(&plan)
	for _, c := range plan.ResourceChanges {
		if c.Address == address {
			return c.Change
		}
	}
	r.T.Fatalf("the plan does not know %s", address)
	return Change{}
}

// PlanFile is the name of the plan that Plan makes.
const PlanFile = "made.tfplan"

// Change is what a plan wants to do with a resource.
type Change struct {
	Actions []string       `json:"actions"`
	Before  map[string]any `json:"before"`
	After   map[string]any `json:"after"`
}
