// SPDX-License-Identifier: MPL-2.0

package run

// InterruptTree is [Run.Interrupt], which fails on this system.
func (r Run) InterruptTree(...Run) error { return r.Interrupt() }
