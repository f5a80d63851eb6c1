// SPDX-License-Identifier: MPL-2.0

package run

import (
	"strconv"
	"strings"
	"testing"
)

// A token is believed of a process above this one only, and only of that very process.
func TestEnclosing(t *testing.T) {
	self, err := Self()
	if err != nil {
		t.Fatal(err)
	}
	parent, err := Parent()
	if err != nil {
		t.Fatal(err)
	}
	if r, ok := enclosing(parent.Token()); !ok || r != parent {
		t.Errorf("the parent is %v, want %v", r, parent)
	}
	child := start(t, helper("idle"))
	child.expect("ready")
	_, id, _ := strings.Cut(parent.Token(), "-")
	for name, token := range map[string]string{
		"this process":       self.Token(),
		"a child":            child.run().Token(),
		"another start":      strconv.Itoa(parent.PID) + "-0123456789abcdef",
		"no process":         "-" + id,
		"no number":          "x-" + id,
		"a negative number":  "-5-" + id,
		"zero":               "0-" + id,
		"a pid only":         strconv.Itoa(parent.PID),
		"something in front": " " + parent.Token(),
		"something behind":   parent.Token() + "0",
		"nothing":            "",
	} {
		if r, ok := enclosing(token); ok {
			t.Errorf("%s: %q is taken for %v", name, token, r)
		}
	}
}
