// SPDX-License-Identifier: MPL-2.0

//go:build unix && !linux

package early

// hideMemory keeps the memory of this process from core dumps.
func hideMemory() { noCore() }
