// SPDX-License-Identifier: MPL-2.0

//go:build !unix

package early

// hideMemory has nothing to do: Windows writes no core, unless an administrator wants it.
func hideMemory() {}
