// SPDX-License-Identifier: MPL-2.0

//go:build unix

package chaos

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"syscall"

	"github.com/shirou/gopsutil/v4/process"

	"github.com/clocker/terraform-provider-clocker/internal/holder"
	"github.com/clocker/terraform-provider-clocker/internal/run"
)

// processRun is a run that is a process of its own, which does nothing but live,
// and whose locks a holder process holds.
type processRun struct {
	cmd   *exec.Cmd
	input io.Closer
	told  chan struct{} // closed at the end of what the run is told
}

// said is what a run is told of a lock on its standard error.
var said = regexp.MustCompile(`^clocker: lock "[^"]+" \((\S+)\) was lost at `)

// beginProcess begins a run that is a process.
func beginProcess(a *actor) *life {
	l := newLife()
	r, w, err := os.Pipe()
	if err != nil {
		a.c.fail(err)
	}
	cmd := exec.Command("cat")
	cmd.Stderr = w
	input, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	_ = w.Close()
	if err != nil {
		a.c.fail(err)
	}
	p := &processRun{cmd: cmd, input: input, told: make(chan struct{})}
	l.process = p
	go func() {
		defer close(p.told)
		defer func() { _ = r.Close() }()
		for lines := bufio.NewScanner(r); lines.Scan(); {
			if lost := said.FindStringSubmatch(lines.Text()); lost != nil {
				l.lose(lost[1])
			}
		}
	}()
	of, err := run.Of(cmd.Process.Pid)
	if err != nil {
		a.c.fail(err)
	}
	l.holder = holder.NewRemote(of)
	return l
}

// kill ends the process of the run, and returns when nobody is left to tell it
// anything.
func (p *processRun) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.input.Close()
	_ = p.cmd.Wait()
	<-p.told
}

// holderProcess finds the holder by its connection over the actor's links, which
// nobody else has.
func (p *processRun) holderProcess(a *actor) (*process.Process, error) {
	self, err := process.NewProcess(int32(os.Getpid())) //nolint:gosec // process ids fit
	if err != nil {
		return nil, err
	}
	children, err := self.Children()
	if err != nil {
		return nil, err
	}
	addrs := a.links.addrs()
	for _, child := range children {
		connections, _ := child.Connections() // none, if it has just ended
		for _, connection := range connections {
			if slices.Contains(addrs, fmt.Sprintf("%s:%d", connection.Raddr.IP, connection.Raddr.Port)) {
				return child, nil
			}
		}
	}
	return nil, fmt.Errorf("%s has no holder process", a.name)
}

// signal sends the holder a signal; it may have none just then.
func (p *processRun) signal(a *actor, s syscall.Signal) *process.Process {
	found, err := p.holderProcess(a)
	if err != nil {
		a.c.count("no holder to signal")
		return nil
	}
	_ = found.SendSignal(s)
	return found
}

func (p *processRun) killHolder(a *actor) {
	a.current().shaken.Store(true)
	p.signal(a, syscall.SIGKILL)
}

// terminateHolder tells the holder to end, which it does not before its run does.
func (p *processRun) terminateHolder(a *actor) { p.signal(a, syscall.SIGTERM) }

// stopHolder stops the holder for so short that it keeps its session.
func (p *processRun) stopHolder(a *actor) {
	if found := p.signal(a, syscall.SIGSTOP); found != nil {
		wait(a.c.ctx, sessionTimeout/4, nil)
		_ = found.SendSignal(syscall.SIGCONT)
	}
}
