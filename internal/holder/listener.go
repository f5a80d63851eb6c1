package holder

import (
	"encoding/gob"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"syscall"
	"time"
)

// hear is the listener process. It is the only one of ours that stays in Terraform's
// process group when the provider has ended, where it hears what Terraform hears: a
// terminal's Ctrl-C, and what else interrupts the group. It tells the holder, and
// ends with it. One with an echo tells its starter of each signal, too, and does not
// end before that.
func hear() {
	signals := make(chan os.Signal, len(echoed))
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	var o order
	input := gob.NewDecoder(os.Stdin)
	if err := input.Decode(&o); err != nil {
		return
	}
	starter := make(chan struct{}) // closed when that has ended
	if o.Echo {
		signal.Notify(signals, echoed...)
		signal.Ignore(syscall.SIGPIPE) // who is told may have ended
		go func() {
			defer close(starter)
			_, _ = io.Copy(io.Discard, os.Stdin)
		}()
	} else {
		_ = os.Stdin.Close()
		close(starter)
	}
	p := &Process{order: o, pulse: pulse}
	r, err := p.dialAs(message{Op: opHello, Run: o.Run.ID, Passive: true})
	if !o.Echo {
		_ = os.Stdout.Close() // it listens, or never will
	}
	if err != nil && !o.Echo {
		return
	}
	var down <-chan struct{}
	if err == nil {
		down = r.down
	}
	for down != nil || starter != nil {
		select {
		case s := <-signals:
			if down != nil && (s == os.Interrupt || s == syscall.SIGTERM) {
				_ = r.send(message{Op: opStopping, Process: o.For})
			}
			if number := slices.Index(echoed, s); o.Echo && number >= 0 {
				_, _ = os.Stdout.Write([]byte{byte(number)}) //nolint:gosec // there are few
			}
		case <-down:
			down = nil
		case <-starter:
			starter = nil
		}
	}
}

// echoed are the signals that a listener with an echo tells of.
var echoed = []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT}

// startListener starts the listener process, and returns when it listens: until then
// this process, which stays for that, is told of an interrupt by Terraform. Without a
// listener, an interrupt that comes when the provider has ended is not known of.
func (p *Process) startListener() {
	cmd, out, in, err := p.listener(false)
	if err != nil {
		return
	}
	_ = in.Close()
	_ = out.SetReadDeadline(time.Now().Add(helloTime))
	_, _ = out.Read(make([]byte, 1)) // its end
	_ = out.Close()
	go func() { _ = cmd.Wait() }() // so that it does not become a zombie
}

// listener starts a listener process. in is to be closed.
func (p *Process) listener(echo bool, env ...string) (cmd *exec.Cmd, out *os.File, in io.Closer, err error) {
	cmd, err = ourselves(ListenerCommand)
	if err != nil {
		return nil, nil, nil, err
	}
	cmd.SysProcAttr = nil // in this process's group, which is Terraform's
	if echo {
		cmd.Env = env
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, nil, nil, err
	}
	out, theirs, err := os.Pipe()
	if err != nil {
		return nil, nil, nil, err
	}
	cmd.Stdout = theirs
	err = cmd.Start()
	_ = theirs.Close()
	if err == nil {
		o := p.order
		o.Echo, o.For = echo, p.asker
		err = gob.NewEncoder(stdin).Encode(o)
	}
	if err != nil {
		_ = out.Close()
		return nil, nil, nil, err
	}
	return cmd, out, stdin, nil
}

// Listen starts a listener process, which gets what is sent to the whole process group
// of this process, or to all processes of a job. heard is called for each signal that it
// gets, and in the end with nil, when it has ended. end ends it.
//
// It has env as its environment: what ends the processes of a job finds them by that.
func (p *Process) Listen(env []string, heard func(os.Signal)) (end func(), err error) {
	cmd, out, in, err := p.listener(true, env...)
	if err != nil {
		return nil, err
	}
	go func() {
		defer func() { _ = out.Close() }()
		for b := make([]byte, 1); ; {
			if _, err := out.Read(b); err != nil || int(b[0]) >= len(echoed) {
				break
			}
			heard(echoed[b[0]])
		}
		_ = cmd.Wait()
		// One that comes before it listens ends it.
		if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			heard(status.Signal())
		}
		heard(nil)
	}()
	return func() {
		_ = cmd.Process.Kill()
		_ = in.Close()
	}, nil
}
