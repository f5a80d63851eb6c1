// SPDX-License-Identifier: MPL-2.0

// Package testkit runs Terraform or OpenTofu, with the provider of this checkout, for the
// tests of the whole, the examples and the scripts: as processes, as a user would.
//
// Workspace returns errors, for scripts. Rig is a Workspace in a test: what fails ends the
// test, and what the test leaves behind, be it a process or a report of the race
// detector, fails it.
package testkit
