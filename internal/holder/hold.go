package holder

import (
	"context"
	"io"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"

	"github.com/clocker/terraform-provider-clocker/internal/run"
)

// Command is the argument with which the provider's executable is a holder
// process instead.
const Command = "hold"

// Hold is the holder process. It serves the provider process at the other end
// of standard input and output, and returns when
//   - the run has ended: all locks are released first;
//   - SIGTERM came: the run is told that its locks are lost, and they are released;
//   - that end is closed and no lock is held.
//
// A lock that is held stays when the provider ends. SIGINT and SIGHUP are
// ignored: they are meant for Terraform, which is still finishing then. A lock
// that cannot be released ends with its session.
func Hold() {
	// A provider that was killed leaves a pipe without a reader, and a write to
	// it would end this process with its locks.
	signal.Ignore(os.Interrupt, syscall.SIGHUP, syscall.SIGPIPE)
	terminated, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	hold(terminated, stdio{os.Stdin, os.Stdout})
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
func hold(terminated context.Context, pipe io.ReadWriteCloser) {
	ctx, end := context.WithCancel(terminated)
	defer end()

	var holding atomic.Pointer[Local]
	served := make(chan struct{})
	go func() {
		defer close(served)
		serve(pipe, func(r run.Run) (*Local, error) {
			alive, err := r.Alive()
			if err != nil {
				return nil, err
			}
			if !alive {
				return nil, ErrEnded
			}
			alarm := &alarm{run: r}
			local := NewLocal(r, alarm.lost)
			holding.Store(local)
			go func() {
				if r.Wait(ctx) == nil {
					alarm.runEnded()
					end()
				}
			}()
			return local, nil
		})
	}()

	select {
	case <-served:
		if local := holding.Load(); local != nil && local.Held() > 0 {
			<-ctx.Done()
		}
	case <-ctx.Done():
	}
	local := holding.Load()
	if local == nil {
		return
	}
	if terminated.Err() != nil {
		local.forsake("the process that holds it was told to end")
	}
	_ = local.Close() //nolint:contextcheck // ctx has ended, or nothing is held
}
