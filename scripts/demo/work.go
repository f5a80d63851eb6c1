// SPDX-License-Identifier: MPL-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/run"
)

const (
	// workCommand makes this program the guarded work, which Terraform's local-exec
	// starts.
	workCommand = "work"

	lookEvery = 2 * time.Millisecond

	envAddress = "CLOCKER_DEMO_ADDRESS"
	envRun     = "CLOCKER_OWNER" // also the owner that the provider writes into the znode
)

// work is the guarded work. It says when it begins and when it ends, which it does
// after a while or when its Terraform does: what outlives a killed Terraform is not
// waited for by whoever gets the lock next.
func work(duration string) error {
	length, err := time.ParseDuration(duration)
	if err != nil {
		return err
	}
	terraform, err := run.Parent()
	if err != nil {
		return err
	}
	conn, err := net.Dial("tcp", os.Getenv(envAddress)) //nolint:gosec // the demo's own address
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	say := func(kind Kind) error {
		return json.NewEncoder(conn).Encode(Event{At: time.Now(), Run: os.Getenv(envRun), Kind: kind})
	}

	if err := say(begun); err != nil {
		return err
	}
	done := time.After(length)
	// Not terraform.Wait: where the system does not wake that, the holder of the lock
	// may notice earlier.
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case <-done:
			return say(ended)
		case <-look.C:
			if alive, err := terraform.Alive(); err == nil && !alive {
				return say(cut)
			}
		}
	}
}

// ear hears what the works say.
type ear struct {
	listener net.Listener
	wg       sync.WaitGroup
}

func listen(r *recorder) (*ear, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen to the guarded work: %w", err)
	}
	e := &ear{listener: listener}
	e.wg.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			e.wg.Go(func() { hear(conn, r) })
		}
	})
	return e, nil
}

func hear(conn net.Conn, r *recorder) {
	defer func() { _ = conn.Close() }()
	words := json.NewDecoder(conn)
	for {
		var e Event
		if err := words.Decode(&e); err != nil {
			return
		}
		r.add(e)
	}
}

func (e *ear) address() string { return e.listener.Addr().String() }

// close returns once every work has hung up.
func (e *ear) close() error {
	err := e.listener.Close()
	e.wg.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
