// SPDX-License-Identifier: MPL-2.0

package holder

import (
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"

	"github.com/clocker/terraform-provider-clocker/internal/early"
	"github.com/clocker/terraform-provider-clocker/internal/run"
)

// Main runs one of this package's processes if the arguments of the program ask for it.
// It returns false if they do not.
func Main(args []string) bool {
	if len(args) != 1 {
		return false
	}
	switch args[0] {
	case Command:
		hold()
	case SentinelCommand:
		watch()
	case ListenerCommand:
		hear()
	default:
		return false
	}
	return true
}

// hold is the holder process. It serves the provider processes of its run, and
// returns when
//   - the run has ended: all locks are released first;
//   - nobody is connected, no lock is held, and the run was not interrupted.
//
// If it ends otherwise, its sentinel tells the run: see [watch].
func hold() {
	if os.Getenv(envProcessors) == "" {
		// The process mostly waits. With one processor a request does not move between
		// processors at each step.
		runtime.GOMAXPROCS(1)
	}
	early.Guard()
	var o order
	if err := gob.NewDecoder(os.Stdin).Decode(&o); err != nil {
		return
	}
	h, err := newHolding(o)
	reply := gob.NewEncoder(os.Stdout).Encode(started{newFailure(err)})
	_ = os.Stdout.Close()
	if err != nil {
		return
	}
	go h.sentinel.begin() // while the starter of this process connects
	go func() {
		if reply == nil { // otherwise the starter has ended
			_, _ = io.Copy(io.Discard, os.Stdin)
		}
		_ = os.Stdin.Close()
		h.server.leave()
	}()
	h.untilTheEnd()
}

// holding is a holder process that has started.
type holding struct {
	order
	listener    net.Listener
	end         func() // of the listener
	local       *Local
	sentinel    *sentinel
	interrupter *interrupter
	server      *server
	stopLog     func()
}

func newHolding(o order) (*holding, error) {
	// What the order says of the process must be what the system says.
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
	h := &holding{order: o, listener: listener, end: end, interrupter: newInterrupter(o, log), stopLog: stopLog}
	h.sentinel = sentinelFor(o, listener)
	h.local = NewLocal(o.Run, h.interrupter.lost)
	h.local.onOverdue = h.interrupter.overdue
	h.local.sentinel, h.local.teller = h.sentinel, h.interrupter.teller
	h.local.logTo(log)
	h.interrupter.stops = h.sentinel.runStops
	h.interrupter.refuse = h.local.refuse
	h.server = newServer(o.Run.ID, h.local, h.interrupter, log)
	h.server.users = 1 // the starter of this process, until it has connected
	h.interrupter.teller.ways = append([]way{h.server.user}, h.interrupter.teller.ways...)
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
			serving = h.local.Held() > 0 || h.interrupter.isStopping() || !h.server.tryEnd()
		}
	}
	_ = h.local.releaseAll()
	h.server.close()
	h.local.pool.Close()
	h.sentinel.dismiss()
	h.interrupter.runEnded()
	h.end() // last: until now, no other process may become the holder process of the run
	h.local.log.Info("holder ended")
	h.stopLog()
}
