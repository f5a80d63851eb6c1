package holder

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"

	"github.com/clocker/terraform-provider-clocker/internal/run"
)

// The arguments with which the provider's executable is one of this package's
// processes instead.
const (
	Command         = "hold"
	SentinelCommand = "watch"
	ListenerCommand = "listen"
)

// EnvDebug names the variable that lets a debugger look into the processes that hold and
// guard the locks of a run, and lets these leave a core, if it is "true".
const EnvDebug = "CLOCKER_DEBUG_HOLDER"

// envProcessors is Go's own, for users who know better.
const envProcessors = "GOMAXPROCS"

// Main is the program where its arguments ask for one of this package's processes,
// and false where they do not.
func Main(args []string) bool {
	if len(args) != 1 {
		return false
	}
	switch args[0] {
	case Command:
		hide()
		hold()
	case SentinelCommand:
		hide()
		watch()
	case ListenerCommand:
		hear()
	default:
		return false
	}
	return true
}

// hide keeps credentials from those who look into memory, unless the user wants to.
func hide() {
	if debugging, err := strconv.ParseBool(os.Getenv(EnvDebug)); err != nil || !debugging {
		hideMemory()
	}
}

// order is what a process that this package starts reads first.
type order struct {
	Run run.Run
	// Starter is the process that has started a command, which then is the run: that
	// lasts until both have ended. Zero where the run is a Terraform.
	Starter run.Run
	// Of a listener: whether it tells its starter, too, and which process below a command
	// it hears for; nil: the run.
	Echo    bool
	For     *run.Run
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

// isCommand tells whether the run is a command, with all that is below it.
func (o order) isCommand() bool { return o.Starter.PID != 0 }

// ignoreSignals keeps this process, which guards the run, while the run stops: what
// ends all processes of a session, a container or a machine sends these to Terraform
// and to us at the same time.
func ignoreSignals() {
	signal.Ignore(os.Interrupt, syscall.SIGHUP, syscall.SIGTERM)
}

// hold is the holder process. It serves the provider processes of its run, and
// returns when
//   - the run has ended: all locks are released first;
//   - nobody is connected, no lock is held, and the run was not interrupted.
//
// If it ends otherwise, its sentinel tells the run: see [watch].
func hold() {
	if os.Getenv(envProcessors) == "" {
		// One is enough for what waits all the time, and a request need not go from
		// one processor to the other at each of its steps.
		runtime.GOMAXPROCS(1)
	}
	ignoreSignals()
	var o order
	if err := gob.NewDecoder(os.Stdin).Decode(&o); err != nil {
		return
	}
	h, err := newHolding(o)
	reply := gob.NewEncoder(os.Stdout).Encode(started{Failure: newFailure(err), Taken: errors.Is(err, errTaken)})
	_ = os.Stdout.Close()
	if err != nil {
		return
	}
	go func() {
		if reply == nil { // else who started this process has ended
			_, _ = io.Copy(io.Discard, os.Stdin)
		}
		_ = os.Stdin.Close()
		h.server.leave()
	}()
	h.untilTheEnd()
}

// started is how the start of a holder process ended.
type started struct {
	Taken   bool // there is another one
	Failure *Failure
}

// holding is a holder process at work.
type holding struct {
	order
	listener net.Listener
	end      func() // of the listener
	local    *Local
	sentinel *sentinel
	alarm    *alarm
	server   *server
	stopLog  func()
}

func newHolding(o order) (*holding, error) {
	// Nothing but what the system says of that process is believed.
	switch found, err := run.Of(o.Run.PID); {
	case errors.Is(err, run.ErrEnded), err == nil && found.Start != o.Run.Start:
		return nil, ErrEnded
	case err != nil:
		return nil, err
	case found != o.Run:
		return nil, fmt.Errorf("holder: process %d is the run %s", o.Run.PID, found.ID)
	}
	listener, end, err := listen(o.Address)
	if err != nil {
		return nil, err
	}
	log, stopLog := startLog(o.Run, o.LogPath)
	h := &holding{order: o, listener: listener, end: end, alarm: newAlarm(o, log), stopLog: stopLog}
	if h.sentinel, err = startSentinel(o, listener); err != nil {
		end()
		return nil, err
	}
	h.local = NewLocal(o.Run, h.alarm.lost)
	h.local.onOverdue = h.alarm.overdue
	h.local.sentinel, h.local.teller = h.sentinel, h.alarm.teller
	h.local.logTo(log)
	h.alarm.stops = h.sentinel.runStops
	h.alarm.refuse = h.local.refuse
	h.server = newServer(o.Run.ID, h.local, h.alarm, log)
	h.server.users = 1 // who started this process, until it has connected
	h.alarm.teller.ways = append([]way{h.server.user}, h.alarm.teller.ways...)
	log.Info("holder started", "terraform", o.Run.PID)
	go h.server.accept(listener)
	return h, nil
}

// untilTheEnd serves until there is nothing left to do.
func (h *holding) untilTheEnd() {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		h.wait()
	}()
	for serving := true; serving; {
		select {
		case <-ended:
			h.local.log.Info("run ended", "locks", h.local.Held())
			serving = false
		case <-h.server.left:
			serving = h.local.Held() > 0 || h.alarm.isStopping() || !h.server.tryEnd()
		}
	}
	_ = h.local.releaseAll()
	h.server.close()
	h.local.pool.Close()
	h.sentinel.dismiss()
	h.alarm.runEnded()
	h.end() // last: until now, nobody else may come to be the run's holder
	h.local.log.Info("holder ended")
	h.stopLog()
}
