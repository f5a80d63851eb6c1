// SPDX-License-Identifier: MPL-2.0

// Package command is the command line of the provider's own executable, for people
// at a terminal and for pipelines.
//
// Each command is a line in [Commands]. The environment variables of the provider, as
// package provider reads them, configure it. It gets its standard input and output from
// main. The package must not know Terraform's plugin protocol, how a lock is taken, or the
// ZooKeeper client.
package command
