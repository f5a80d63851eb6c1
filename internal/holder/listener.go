// SPDX-License-Identifier: MPL-2.0

package holder

import (
	"bufio"
	"encoding/gob"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
)

// hear is the listener process. It stays in Terraform's process group when the provider
// has ended, and gets the signals that Terraform gets: a terminal's Ctrl-C, and others to
// the whole group. It tells the holder process, and ends with it. A listener with an echo
// tells its starter of each signal, too, and does not end before the starter.
func hear() {
	signals := make(chan os.Signal, len(echoed))
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	var o order
	input := bufio.NewReader(os.Stdin)
	if err := gob.NewDecoder(input).Decode(&o); err != nil {
		return
	}
	starter := make(chan struct{}) // closed when that has ended
	asked := make(chan struct{})
	if o.Echo {
		signal.Notify(signals, syscall.SIGHUP, syscall.SIGQUIT)
		signal.Ignore(syscall.SIGPIPE) // the starter may have ended
		go func() {
			defer close(starter)
			for {
				if _, err := input.ReadByte(); err != nil {
					return
				}
				asked <- struct{}{}
			}
		}()
	} else {
		_ = os.Stdin.Close()
		close(starter)
	}
	c, err := connectAs(message{Op: opHello, Run: o.Run.ID, Passive: true}, o, pulse, func([]string) {})
	if !o.Echo {
		_ = os.Stdout.Close() // the starter waits for this
	}
	if err != nil && !o.Echo {
		return
	}
	var down <-chan struct{}
	if err == nil {
		down = c.down
	}
	tell := func(s os.Signal) {
		if down != nil && (s == os.Interrupt || s == syscall.SIGTERM) {
			_ = c.send(message{Op: opStopping, Process: o.For})
		}
		for code, echo := range echoed {
			if o.Echo && echo == s {
				_, _ = os.Stdout.Write([]byte{code})
			}
		}
	}
	for down != nil || starter != nil {
		select {
		case s := <-signals:
			tell(s)
		case <-asked:
			for quiet := time.After(settleTime); quiet != nil; {
				select {
				case s := <-signals: // it was on its way inside this process
					tell(s)
				case <-quiet:
					quiet = nil
				}
			}
			tell(Answer)
		case <-down:
			down = nil
		case <-starter:
			starter = nil
		}
	}
}

// Answer is what a listener tells when it was asked, after all signals that it has got.
const Answer = answered(0)

type answered int

func (answered) Signal()        {}
func (answered) String() string { return "answer" }

// echoed are the signals that a listener with an echo tells of, by the byte for each.
var echoed = map[byte]os.Signal{'A': Answer, 'I': os.Interrupt, 'T': syscall.SIGTERM, 'H': syscall.SIGHUP, 'Q': syscall.SIGQUIT}

// settleTime is how long a signal can be on its way inside a process.
const settleTime = 20 * time.Millisecond

// startListener starts the listener process, and returns when it listens. Until then
// Terraform tells this process of an interrupt. Without a listener nobody hears an
// interrupt after the provider has ended.
func startListener(o order) {
	cmd, out, in, err := newListener(o, nil)
	if err != nil {
		return
	}
	_ = in.Close()
	_ = out.SetReadDeadline(time.Now().Add(helloTime))
	_, _ = out.Read(make([]byte, 1)) // its end
	_ = out.Close()
	go func() { _ = cmd.Wait() }() // so that it does not become a zombie
}

// newListener starts a listener process. The caller closes in.
func newListener(o order, env []string) (cmd *exec.Cmd, out *os.File, in io.WriteCloser, err error) {
	cmd, err = ourselves(ListenerCommand)
	if err != nil {
		return nil, nil, nil, err
	}
	cmd.SysProcAttr = nil // in this process's group, which is Terraform's
	if o.Echo {
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
		err = gob.NewEncoder(stdin).Encode(o)
	}
	if err != nil {
		_ = out.Close()
		return nil, nil, nil, err
	}
	return cmd, out, stdin, nil
}

// startEcho starts a listener with an echo: see [Remote.Listen].
func startEcho(o order, env []string, heard func(os.Signal)) (*Listener, error) {
	cmd, out, in, err := newListener(o, env)
	if err != nil {
		return nil, err
	}
	go func() {
		defer func() { _ = out.Close() }()
		for b := make([]byte, 1); ; {
			if _, err := out.Read(b); err != nil {
				break
			}
			heard(echoed[b[0]])
		}
		_ = cmd.Wait()
		// A signal that comes before it listens ends it.
		if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			heard(status.Signal())
		}
		heard(nil)
	}()
	return &Listener{cmd.Process, in}, nil
}

// Listener is a listener process.
type Listener struct {
	process *os.Process
	in      io.WriteCloser
}

// Ask has it tell of all signals that it got, and then [Answer].
func (l *Listener) Ask() { _, _ = l.in.Write([]byte{0}) }

// End ends it.
func (l *Listener) End() {
	_ = l.process.Kill()
	_ = l.in.Close()
}
