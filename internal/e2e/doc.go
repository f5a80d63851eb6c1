// SPDX-License-Identifier: MPL-2.0

// Package e2e holds the tests of the whole: they build the provider, and run
// Terraform or OpenTofu as a process, with that provider and a real ZooKeeper,
// as a user would. What they promise is in their names.
//
// They need a command line: the one that CLOCKER_CLI names, else terraform, else tofu on
// PATH.
package e2e
