// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"io"
	"net"
	"sync"
)

// cable leads to a server, and can be cut: then nothing arrives any more, and neither
// end is told.
type cable struct {
	server     string
	listener   net.Listener
	lost, torn chan struct{}
	running    sync.WaitGroup

	mu    sync.Mutex
	conns []net.Conn
}

func newCable(ctx context.Context, server string) (*cable, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c := &cable{server: server, listener: listener, lost: make(chan struct{}), torn: make(chan struct{})}
	c.running.Go(c.accept)
	return c, nil
}

func (c *cable) addr() string { return c.listener.Addr().String() }

func (c *cable) cut() { close(c.lost) }

// close ends all connections.
func (c *cable) close() {
	close(c.torn)
	_ = c.listener.Close()
	c.mu.Lock()
	for _, conn := range c.conns {
		_ = conn.Close()
	}
	c.mu.Unlock()
	c.running.Wait()
}

func (c *cable) accept() {
	for {
		near, err := c.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", c.server)
		if err != nil {
			_ = near.Close()
			continue
		}
		c.mu.Lock()
		c.conns = append(c.conns, near, far)
		c.mu.Unlock()
		c.running.Go(func() { c.carry(near, far) })
		c.running.Go(func() { c.carry(far, near) })
	}
}

// carry carries what comes from one end to the other.
func (c *cable) carry(to io.WriteCloser, from io.Reader) {
	defer func() { _ = to.Close() }()
	bytes := make([]byte, 1<<15)
	for {
		n, err := from.Read(bytes)
		select {
		case <-c.lost:
			<-c.torn
			return
		default:
		}
		if err != nil {
			return
		}
		if _, err := to.Write(bytes[:n]); err != nil {
			return
		}
	}
}
