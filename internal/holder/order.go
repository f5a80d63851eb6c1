// SPDX-License-Identifier: MPL-2.0

package holder

import (
	"context"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/early"
	"github.com/clocker/terraform-provider-clocker/internal/run"
)

// The arguments with which the provider's executable is another process.
const (
	Command         = "hold"
	SentinelCommand = early.SentinelCommand
	ListenerCommand = "listen"
)

// EnvDebug is [early.EnvDebug].
const EnvDebug = early.EnvDebug

// envProcessors is Go's environment variable.
const envProcessors = "GOMAXPROCS"

const (
	// startTime bounds how long to wait for a holder process to begin, or to end.
	startTime = 15 * time.Second
	// helloTime bounds the first messages of a connection.
	helloTime = 5 * time.Second
	// firstPause is between the first two tries to connect; it doubles each time.
	firstPause = time.Millisecond
)

// order is what a process of this package reads first.
type order struct {
	Run run.Run
	// Starter is the process that has started the command, if the run is a command. Then
	// the run lasts until both have ended. Zero if the run is a Terraform.
	Starter run.Run
	Echo    bool     // of a listener: it tells its starter of the signals, too
	For     *run.Run // of a listener: the process below a command whose signals it hears; nil for the run
	Address string
	LogPath string // absolute; "" for none
}

// wait returns when the run has ended.
func (o order) wait() {
	_ = o.Run.Wait(context.Background())
	if o.isCommand() {
		_ = o.Starter.Wait(context.Background())
	}
}

// isCommand returns whether the run is a command, with all processes below it.
func (o order) isCommand() bool { return o.Starter.PID != 0 }
