package holder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"sync/atomic"
	"syscall"

	"github.com/clocker/terraform-provider-clocker/internal/run"
)

// Command is the argument with which the provider's executable is a holder
// process instead.
const Command = "hold"

// envProcessors is Go's own, for who knows better.
const envProcessors = "GOMAXPROCS"

// ErrStranger says that a holder process was told to work for another process than
// the run that it belongs to.
var ErrStranger = errors.New("holder: not the process that started the provider")

// Trust says why a holder process must not work for a run, nor ever signal it; nil
// if it may.
type Trust func(run.Run) error

// OwnRun trusts the process that started the provider that started this process,
// which is Terraform, and no other: whoever writes to the pipe can have this
// process signal nobody else. Its error is [ErrStranger]. Where the system does not
// tell who started whom, the provider's word is taken.
func OwnRun(r run.Run) error {
	if ours, err := r.StartedOurParent(); err == nil && !ours {
		return fmt.Errorf("%w: process %d", ErrStranger, r.PID)
	}
	return nil
}

// AnyRun is for tests, where the process that plays Terraform did not start the
// one that plays the provider.
func AnyRun(run.Run) error { return nil }

// Main is the program where its arguments ask for one of this package's processes,
// and false where they do not.
func Main(args []string, trust Trust) bool {
	switch {
	case len(args) != 1:
		return false
	case args[0] == Command:
		Hold(trust)
	case args[0] == SentinelCommand:
		Watch()
	default:
		return false
	}
	return true
}

// Hold is the holder process. It works for the run that trust allows, serves the
// provider process at the other end of standard input and output, and returns when
//   - the run has ended: all locks are released first;
//   - SIGTERM came: the run is told that its locks are lost, and they are released;
//   - that end is closed, no lock is held, and the run was not interrupted.
//
// If it ends otherwise, its sentinel tells the run: see [Watch].
//
// A lock that is held stays when the provider ends. SIGINT and SIGHUP are
// ignored: they are meant for Terraform, which is still finishing then. A lock
// that cannot be released ends with its session.
func Hold(trust Trust) {
	if os.Getenv(envProcessors) == "" {
		// One is enough for what waits all the time, and a request need not go from
		// one processor to the other at each of its steps.
		runtime.GOMAXPROCS(1)
	}
	// A provider that was killed leaves a pipe without a reader, and a write to
	// it would end this process with its locks.
	signal.Ignore(os.Interrupt, syscall.SIGHUP, syscall.SIGPIPE)
	terminated, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	hold(terminated, standardPipe(), trust)
}

// stdio is the pipe as one thing.
type stdio struct {
	io.ReadCloser
	out io.WriteCloser
}

func (s stdio) Write(b []byte) (int, error) { return s.out.Write(b) }

func (s stdio) Close() error {
	_ = s.out.Close()
	return s.ReadCloser.Close()
}

// hold serves pipe until the run ends, terminated does, or there is nothing left
// to do.
func hold(terminated context.Context, pipe io.ReadWriteCloser, trust Trust) {
	ctx, end := context.WithCancel(terminated)
	defer end()

	var holding atomic.Pointer[Local]
	var ringing atomic.Pointer[alarm]
	endLog := func() {} // valid once holding is set
	served := make(chan struct{})
	go func() {
		defer close(served)
		serve(pipe, func(args ServeArgs) (*Local, error) {
			r := args.Run
			if err := admit(r, trust); err != nil {
				return nil, err
			}
			alarm := &alarm{run: r}
			sentinel, err := startSentinel(r, args.LogPath)
			if err != nil {
				return nil, err
			}
			local := NewLocal(r, func(loss Loss, interrupt bool) {
				alarm.lost(loss, interrupt)
				if interrupt {
					sentinel.runStops()
				}
			})
			local.sentinel = sentinel
			local.onStop = func() {
				alarm.runStops()
				sentinel.runStops()
			}
			log, stopLog := startLog(r, args.LogPath)
			log.Info("holder started", "terraform", r.PID)
			local.logTo(log)
			endLog = func() {
				log.Info("holder ended")
				stopLog()
			}
			holding.Store(local)
			ringing.Store(alarm)
			go func() {
				if r.Wait(ctx) == nil {
					log.Info("run ended", "locks", local.Held())
					alarm.runEnded()
					end()
				}
			}()
			return local, nil
		})
	}()

	select {
	case <-served:
		// Also one that has nothing left to hold stays if it is what keeps others from
		// interrupting the run again.
		if local := holding.Load(); local != nil && (local.Held() > 0 || ringing.Load().rung()) {
			local.log.Info("provider ended, its locks are held on", "locks", local.Held())
			<-ctx.Done()
		}
	case <-ctx.Done():
	}
	local := holding.Load()
	if local == nil {
		return
	}
	if terminated.Err() != nil {
		local.log.Warn("told to end", "locks", local.Held())
		local.forsake("the process that holds it was told to end")
	}
	_ = local.Close()          //nolint:contextcheck // ctx has ended, or nothing is held
	_ = pipe.Close()           // or the provider would go on asking this process
	if ringing.Load().rung() { // and the run goes on
		local.sentinel.bequeath()
	} else {
		local.sentinel.dismiss()
	}
	endLog()
}

// admit says why not to work for a run: it has ended, it is not what the system says
// of that process, whatever the pipe does, or it is not trusted.
func admit(r run.Run, trust Trust) error {
	found, err := run.Of(r.PID)
	switch {
	case errors.Is(err, run.ErrEnded), err == nil && found.Start != r.Start:
		return ErrEnded
	case err != nil:
		return err
	case found != r:
		return fmt.Errorf("%w: process %d is the run %s", ErrStranger, r.PID, found.ID)
	}
	return trust(r)
}
