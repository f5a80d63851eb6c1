// SPDX-License-Identifier: MPL-2.0

// Package early has two processes that wait before they do anything: the gate of `run`,
// and the sentinel.
//
// They begin in init functions, so that they wait before Go initializes the packages of
// the plugin. That takes most of the time in which this program starts. For the same
// reason this package must not import another package of this module, or a large one.
package early
