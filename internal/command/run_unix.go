// SPDX-License-Identifier: MPL-2.0

//go:build unix

package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/holder"
	"github.com/clocker/terraform-provider-clocker/internal/provider"
	"github.com/clocker/terraform-provider-clocker/internal/run"
)

const (
	// listenAfter is how long the command runs before the listener is started, because many
	// a command takes less time than to start it. Earlier signals are passed on.
	listenAfter = 50 * time.Millisecond
	// askTime is how long to wait for the holder process to say whether the run was
	// interrupted.
	askTime = 2 * time.Second
)

// passedOn are the signals that would end this process and that the command should get.
var passedOn = []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2}

// run takes the locks, runs the command, and releases the locks.
func (r *running) run(ctx context.Context) int {
	signals := make(chan os.Signal, len(passedOn))
	// What our parent process ignores, such as SIGHUP under nohup, stays ignored.
	signal.Notify(signals, slices.DeleteFunc(slices.Clone(passedOn), signal.Ignored)...)
	g, err := r.startGate()
	if err != nil {
		return r.fail(exitCannotRun, fmt.Errorf("could not start a process: %w", err))
	}
	prepared := prepare() // after the gate: it closes what the command inherits
	defer prepared.Close()
	h, err := r.holder(g.Process.Pid, prepared)
	if err != nil {
		g.abandon()
		return r.fail(exitNotHeld, fmt.Errorf("no lock was taken: %w", err))
	}
	defer func() { _ = h.Close() }()
	stopped, err := r.take(ctx, h, g, signals)
	if err == nil {
		err = g.open(r.token)
	}
	if err != nil {
		code := exitNotHeld
		if stopped != nil {
			code = exitSignal + int(stopped.(syscall.Signal))
		} else if errors.Is(err, errGateEnded) {
			code = g.code()
		}
		g.abandon()
		r.release(ctx)
		return r.fail(code, fmt.Errorf("the command was not started: %w", err))
	}
	r.attend(ctx, h, g, signals)
	r.outlast(ctx, signals)
	code := g.code()
	// A signal ends the wait for ZooKeeper: the holder process releases the locks when this
	// process has ended.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		<-signals
		cancel()
	}()
	if lost := r.release(ctx); lost && code == 0 {
		code = exitLost
	}
	return code
}

// prepare starts a holder process while this one does other things, unless there seems
// to be one. If that fails, it is started when the lock is taken.
func prepare() *holder.Prepared {
	if os.Getenv(run.EnvRun) != "" {
		return nil
	}
	prepared, _ := holder.Prepare()
	return prepared
}

// holder returns the holder of the command's run: its own, or that of a command above,
// if this one belongs to its run.
func (r *running) holder(pid int, prepared *holder.Prepared) (*holder.Remote, error) {
	var err error
	if r.command, err = run.Of(pid); err != nil {
		return nil, err
	}
	if h, above, ok := holder.Enclosing(&r.command, r.tell); ok {
		r.token = above.Token()
		return h, nil
	}
	self, err := run.Self()
	if err != nil {
		return nil, err
	}
	r.token = r.command.Token()
	return holder.NewCommand(r.command, self, prepared, r.tell), nil
}

// tell shows the user a message of the holder process.
func (r *running) tell(note string) { _, _ = fmt.Fprintf(r.Err, "\n%s\n", strings.TrimSpace(note)) }

var errGateEnded = errors.New("the process for the command was killed")

// take takes all locks. A signal ends the wait, and is returned with the error.
func (r *running) take(ctx context.Context, h *holder.Remote, g *gateProcess, signals <-chan os.Signal) (stopped os.Signal, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	taken := make(chan error, 1)
	go func() {
		for _, lock := range r.locks {
			held, err := r.client.Take(ctx, h, lock)
			if err != nil {
				taken <- err
				return
			}
			r.held = append(r.held, held)
		}
		taken <- nil
	}()
	for gone := g.ended; ; {
		select {
		case err = <-taken:
			switch {
			case stopped != nil:
				err = fmt.Errorf("interrupted: %v", stopped)
			case gone == nil:
				err = errGateEnded
			}
			return stopped, err
		case s := <-signals:
			if stopped == nil {
				stopped = s
			}
			cancel(context.Canceled)
		case <-gone:
			gone = nil
			cancel(context.Canceled)
		}
	}
}

// release releases the locks, the last one first.
func (r *running) release(ctx context.Context) (lost bool) {
	for _, held := range slices.Backward(r.held) {
		gone, err := r.client.Release(ctx, held)
		if err != nil {
			r.say(err.Error())
		}
		lost = lost || gone
	}
	return lost
}

// outlast waits for what a command that was told to stop has left running: most signals
// end a shell at once, but the Terraform that it has started takes its time.
func (r *running) outlast(ctx context.Context, signals <-chan os.Signal) {
	if r.stopped == nil || r.token != r.command.Token() {
		return // what it left running is not ours to wait for
	}
	told := make(map[run.Run]bool)
	for left := r.command.Members(); len(left) > 0; left = r.command.Members() {
		if len(told) == 0 {
			r.say(fmt.Sprintf("the command has ended, but what it has started has not (process %d). The lock is held until then.", left[0].PID))
		}
		for _, p := range left {
			if r.alone && !told[p] {
				_ = p.Interrupt() // nobody else has told it
			}
			told[p] = true
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = left[0].Wait(ctx)
		}()
		for over := false; !over; {
			select {
			case <-ended:
				over = true
			case <-signals: // the locks are held until the work is over
			}
		}
	}
}

// attend passes signals on to the command until that has ended.
func (r *running) attend(ctx context.Context, h *holder.Remote, g *gateProcess, signals <-chan os.Signal) {
	echoes := make(chan os.Signal, len(passedOn))
	var listener *holder.Listener
	defer func() {
		if listener != nil {
			listener.End()
		}
	}()
	start := time.After(listenAfter)
	relay := newRelay()
	defer func() {
		// The command can die of a signal to all before this process hears of it.
		if r.stopped = relay.stopped; r.stopped == nil {
			r.stopped = g.stoppedBy()
		}
	}()
	for {
		var due <-chan time.Time
		if at := relay.next(); !at.IsZero() {
			due = time.After(time.Until(at))
		}
		select {
		case <-g.ended:
			return
		case <-start:
			var err error
			listener, err = h.Listen(listenerEnvironment(os.Environ()), func(s os.Signal) { echoes <- s })
			relay.listening = err == nil
		case s := <-signals:
			relay.got(s, time.Now())
		case s := <-echoes:
			switch s {
			case nil:
				relay.listening = false
				relay.answered(time.Now())
			case holder.Answer:
				relay.answered(time.Now())
			default:
				relay.heard(s, time.Now())
			}
		case <-due:
			pass, leave, ask := relay.due(time.Now())
			if ask {
				listener.Ask()
			}
			for _, s := range pass {
				r.pass(ctx, h, g, relay, s)
			}
			for _, s := range leave {
				r.say(fmt.Sprintf("got %v, but the command was told to stop before (%v), so it is not told again. Send %[2]v to insist.", s, relay.stopped))
			}
		}
	}
}

// listenerEnvironment has no secrets, and does not make the listener a part of a command
// above, which would wait for it.
func listenerEnvironment(all []string) []string {
	return slices.DeleteFunc(provider.WithoutSecrets(all), func(assignment string) bool { return strings.HasPrefix(assignment, run.EnvRun+"=") })
}

// pass passes a signal on to the command, unless that would interrupt it a second time
// though nobody asked for that.
func (r *running) pass(ctx context.Context, h *holder.Remote, g *gateProcess, relay *relay, s os.Signal) {
	first := relay.stopped == nil
	relay.reached(s)
	if stops(s) && first {
		ctx, cancel := context.WithTimeout(ctx, askTime)
		defer cancel()
		// Without an answer there is nobody else who interrupts it.
		if may, err := h.First(ctx, r.command); err == nil && !may {
			r.say(fmt.Sprintf("got %v, but the command is stopping already, so it is not told again. Send the signal again to insist.", s))
			return
		}
	}
	if s == os.Interrupt {
		_ = r.command.InterruptTree()
		return
	}
	r.alone = r.alone || stops(s)
	_ = g.Process.Signal(s)
}
