// SPDX-License-Identifier: MPL-2.0

//go:build unix

package run

import "testing"

// An interrupt of a command reaches what it waits for, as Ctrl-C does, and once: not
// what was interrupted before.
func TestInterruptTree(t *testing.T) {
	c := start(t, helper("shell"))
	c.expect("ready")
	below := c.run().below(nil)
	if len(below) != 1 {
		t.Fatalf("below the command there is %v, want one process", below)
	}
	if err := c.run().InterruptTree(append(below, c.run())...); err != nil {
		t.Error(err)
	}
	if err := c.run().InterruptTree(); err != nil {
		t.Error(err)
	}
	c.reap() // the interrupt has ended it
	c.expect("interrupt")
	if err := c.in.Close(); err != nil {
		t.Fatal(err)
	}
	c.expect("total 1")
}
