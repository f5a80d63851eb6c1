// Package command is the command line of the provider's own executable, for people
// at a terminal and for pipelines.
//
// Each command is a line in [Commands]. It is configured by the environment variables
// of the provider, which it takes from package provider, and gets its standard input
// and output from main. The package must not know Terraform's plugin protocol, how a
// lock is taken, or the ZooKeeper client.
package command
