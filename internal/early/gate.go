// Package gate is the process that becomes the command of `run`, once its locks are
// held: so its pid and start time are known, and it is under watch, before it does
// anything.
//
// It works in an init function, and imports little, because of the order in which Go
// initializes packages: the process is a gate before the packages of the plugin are
// initialized, which takes most of the time in which this program starts. It must import
// no other package of this module, and nothing large.
package gate

// Argument makes the program a gate. Behind it come the descriptor of a pipe, the path of
// the command's program, and the command.
const Argument = "gate"

// Exit codes of a gate: what shells say of a command, and that it was never opened.
const (
	CannotRun = 126
	NotFound  = 127
	NotOpened = 75
)
