// SPDX-License-Identifier: MPL-2.0

package early

import (
	"os"
	"os/signal"
	"strconv"
	"syscall"
)

// SentinelCommand is the argument that makes the program a sentinel. While its holder
// process lives it does nothing but wait here. What it does then is in internal/holder.
const SentinelCommand = "watch"

// EnvDebug names the environment variable that lets a debugger look into the processes
// that keep and guard the locks of a run, and lets these leave a core, if it is "true".
const EnvDebug = "CLOCKER_DEBUG_HOLDER"

// What a holder process writes to the standard input of its sentinel. If the input ends
// without Leave, the holder process was killed.
const (
	Read  byte = iota + 1 // the sentinel is to read the notes up to a pause
	Leave                 // the holder process ends in good order
)

// Heard is what the sentinel has read from its standard input here.
var Heard []byte

func init() {
	if len(os.Args) != 2 || os.Args[1] != SentinelCommand {
		return
	}
	Guard()
	word := make([]byte, 1)
	n, _ := os.Stdin.Read(word)
	if Heard = word[:n]; n > 0 && word[0] == Leave {
		os.Exit(0)
	}
}

// Guard prepares a process that guards a run. It keeps credentials from those who look
// into memory, unless the user wants a debugger to. It ignores the signals that end all
// processes of a session, a container or a machine: Terraform gets them, too, and is
// guarded until it has stopped.
func Guard() {
	if debugging, err := strconv.ParseBool(os.Getenv(EnvDebug)); err != nil || !debugging {
		hideMemory()
	}
	signal.Ignore(os.Interrupt, syscall.SIGHUP, syscall.SIGTERM)
}
