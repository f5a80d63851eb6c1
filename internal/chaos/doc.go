// SPDX-License-Identifier: MPL-2.0

// Package chaos holds tests of what must not happen, whatever happens: two
// holders of one lock, one who waits for ever, and anything left behind. It plays many
// runs that take and release locks side by side on an ensemble of three, while
// connections break or carry one direction only, requests are lost or refused, servers
// stop, die, lag and lose each other, and holders are cancelled and killed.
//
// A run that is made up of chance is replayed by its seed: see TestChaos. That the tests
// can see is shown by mutants: faults put back, each found by a test.
package chaos
