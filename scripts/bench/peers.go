package main

import (
	"context"
	"fmt"

	"github.com/go-zookeeper/zk" //nolint:depguard // the peer to measure beside
)

const (
	peerDir = "/bench/peer/"
	bareDir = "/bench/bare/"
)

// peer is a client of the library.
type peer struct {
	conn   *zk.Conn
	events <-chan zk.Event
	named  func(*zk.Conn, string) mutex
}

func openPeer(named func(*zk.Conn, string) mutex) func(context.Context, string) (client, error) {
	return func(ctx context.Context, server string) (client, error) {
		conn, events, err := connect(ctx, server)
		if err != nil {
			return nil, err
		}
		return &peer{conn, events, named}, nil
	}
}

func connect(ctx context.Context, server string) (*zk.Conn, <-chan zk.Event, error) {
	conn, events, err := zk.Connect([]string{server}, sessionTimeout, zk.WithLogger(silent{}), zk.WithLogInfo(false))
	if err != nil {
		return nil, nil, err
	}
	for {
		select {
		case event := <-events:
			if event.State == zk.StateHasSession {
				return conn, events, nil
			}
		case <-ctx.Done():
			conn.Close()
			return nil, nil, fmt.Errorf("connect to %s: %w", server, context.Cause(ctx))
		}
	}
}

type silent struct{}

func (silent) Printf(string, ...any) {}

func (p *peer) mutex(name string) mutex { return p.named(p.conn, name) }

func (p *peer) close() {
	p.conn.Close()
	for range p.events {
		// The end of them is that of the client.
	}
}

// peerMutex is the library's own lock.
type peerMutex struct{ *zk.Lock }

func newPeerMutex(conn *zk.Conn, name string) mutex {
	return &peerMutex{zk.NewLock(conn, peerDir+name, zk.WorldACL(zk.PermAll))}
}

func (m *peerMutex) lock(context.Context) error   { return m.Lock.Lock() }
func (m *peerMutex) unlock(context.Context) error { return m.Unlock() }

// multiMutex is no lock, but the two requests that one cannot do without.
type multiMutex struct {
	conn *zk.Conn
	dir  string
	node string
}

func newMultiMutex(conn *zk.Conn, name string) mutex {
	return &multiMutex{conn: conn, dir: bareDir + name}
}

func (m *multiMutex) lock(context.Context) error {
	acl := zk.WorldACL(zk.PermAll)
	responses, err := m.conn.Multi(
		&zk.CreateRequest{Path: m.dir, Acl: acl},
		&zk.CreateRequest{Path: m.dir + "/lock-", Acl: acl, Flags: zk.FlagEphemeralSequential})
	if err != nil {
		return err
	}
	m.node = responses[1].String
	return nil
}

func (m *multiMutex) unlock(context.Context) error {
	_, err := m.conn.Multi(
		&zk.DeleteRequest{Path: m.node, Version: -1},
		&zk.DeleteRequest{Path: m.dir, Version: -1})
	return err
}
