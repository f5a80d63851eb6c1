// SPDX-License-Identifier: MPL-2.0

package early

// GateCommand is the argument that makes the program a gate: the process that becomes the
// command of `run` once the locks are held. So its pid and start time are known, and it
// is watched, before it does anything. The next arguments are the descriptor of a pipe,
// the path of the command's program, and the command.
const GateCommand = "gate"

// Exit codes of a gate: those of shells for a command that cannot be run, and one for a
// gate that was never opened.
const (
	CannotRun = 126
	NotFound  = 127
	NotOpened = 75
)
