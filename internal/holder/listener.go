package holder

import (
	"encoding/gob"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// hear is the listener process. It is the only one of ours that stays in Terraform's
// process group when the provider has ended, where it hears what Terraform hears: a
// terminal's Ctrl-C, and what else interrupts the group. It tells the holder, and
// ends with it.
func hear() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	var o order
	if err := gob.NewDecoder(os.Stdin).Decode(&o); err != nil {
		return
	}
	_ = os.Stdin.Close()
	p := &Process{run: o.Run, address: o.Address, pulse: pulse}
	r, err := p.dialAs(message{Op: opHello, Run: o.Run.ID, Passive: true})
	_ = os.Stdout.Close() // it listens, or never will
	if err != nil {
		return
	}
	for {
		select {
		case <-signals:
			_ = r.send(message{Op: opStopping})
		case <-r.down:
			return
		}
	}
}

// startListener starts the listener process, and returns when it listens: until then
// this process, which stays for that, is told of an interrupt by Terraform. Without a
// listener, an interrupt that comes when the provider has ended is not known of.
func (p *Process) startListener() {
	cmd, err := ourselves(ListenerCommand)
	if err != nil {
		return
	}
	cmd.SysProcAttr = nil // in this process's group, which is Terraform's
	in, err := cmd.StdinPipe()
	if err != nil {
		return
	}
	ready, out, err := os.Pipe()
	if err != nil {
		return
	}
	defer func() { _ = ready.Close() }()
	cmd.Stdout = out
	err = cmd.Start()
	_ = out.Close()
	if err != nil {
		return
	}
	_ = gob.NewEncoder(in).Encode(order{Run: p.run, Address: p.address})
	_ = in.Close()
	_ = ready.SetReadDeadline(time.Now().Add(helloTime))
	_, _ = ready.Read(make([]byte, 1)) // its end
	go func() { _ = cmd.Wait() }()     // so that it does not become a zombie
}
