//go:build unix && !linux

package early

// hideMemory keeps the memory of this process from core dumps.
func hideMemory() { noCore() }
