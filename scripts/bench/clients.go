// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"time"

	"github.com/go-zookeeper/zk" //nolint:depguard // the peer to measure beside

	"github.com/clocker/terraform-provider-clocker/internal/holder"
	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/run"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

const (
	// sessionTimeout is long, so that few pings come between.
	sessionTimeout = 60 * time.Second
	connectTimeout = 15 * time.Second
	// ourDir and peerDir are where Clocker and go-zookeeper have their locks.
	ourDir  = benchRoot + "/ours/"
	peerDir = benchRoot + "/peer/"
)

// client is someone with a session.
type client interface {
	// mutex is the lock of that name. It is for one goroutine.
	mutex(name string) mutex
	close()
}

// mutex is a lock that waits without limit.
type mutex interface {
	lock(ctx context.Context) error
	unlock(ctx context.Context) error
}

// kind is a kind of client.
type kind struct {
	label string // for people
	dir   string // of its locks
	open  func(ctx context.Context, server string) (client, error)
}

var kinds = map[string]kind{
	"process":      {"Clocker, through its holder process", ourDir, openProcess},
	"locker":       {"Clocker", ourDir, openLocker},
	"go-zookeeper": {"go-zookeeper", peerDir, openPeer},
}

func config(server string) zookeeper.Config {
	return zookeeper.Config{Servers: []string{server}, SessionTimeout: sessionTimeout, ConnectTimeout: connectTimeout}
}

func request(name string) locker.Request {
	return locker.Request{
		LockID: name,
		Dir:    locker.Directory("", ourDir, name),
		Wait:   locker.NoLimit,
		Data:   locker.Data{Owner: "bench@localhost", Client: "terraform-provider-clocker/bench"},
	}
}

// lockerClient has the lock itself.
type lockerClient struct{ session *zookeeper.Session }

func openLocker(ctx context.Context, server string) (client, error) {
	session, err := zookeeper.Open(ctx, config(server))
	if err != nil {
		return nil, err
	}
	return &lockerClient{session}, nil
}

func (c *lockerClient) close() { _ = c.session.Close() }

func (c *lockerClient) mutex(name string) mutex { return &lockerMutex{client: c, name: name} }

type lockerMutex struct {
	client *lockerClient
	name   string
	held   *locker.Lock
}

func (m *lockerMutex) lock(ctx context.Context) error {
	var err error
	m.held, err = locker.Acquire(ctx, func(context.Context) (*zookeeper.Session, error) { return m.client.session, nil }, request(m.name))
	return err
}

func (m *lockerMutex) unlock(ctx context.Context) error { return m.held.Release(ctx) }

// processClient asks a holder process, as the provider does. It is this program once
// more.
type processClient struct {
	holder *holder.Remote
	server string
}

func openProcess(_ context.Context, server string) (client, error) {
	self, err := run.Self()
	if err != nil {
		return nil, err
	}
	return &processClient{holder.NewRemote(self), server}, nil
}

func (c *processClient) close() { _ = c.holder.Close() }

func (c *processClient) mutex(name string) mutex {
	return &processMutex{client: c, request: holder.Request{Ensemble: config(c.server), Lock: request(name)}}
}

type processMutex struct {
	client  *processClient
	request holder.Request
	grant   holder.Grant
}

func (m *processMutex) lock(ctx context.Context) error {
	var err error
	m.grant, err = m.client.holder.Acquire(ctx, m.request)
	return err
}

func (m *processMutex) unlock(ctx context.Context) error {
	return m.client.holder.Release(ctx, holder.Znode{Ensemble: m.request.Ensemble, Path: m.grant.Znode, Grant: m.grant.ID})
}

// peer is a client of go-zookeeper, with that library's own lock.
type peer struct{ client *zktest.Client }

func openPeer(_ context.Context, server string) (client, error) {
	c, err := zktest.Dial([]string{server}, "", sessionTimeout)
	if err == nil {
		_, _, err = c.Conn().Exists("/") // It is connected then.
	}
	return &peer{c}, err
}

func (p *peer) close() { p.client.Close() }

func (p *peer) mutex(name string) mutex {
	return &peerMutex{zk.NewLock(p.client.Conn(), peerDir+name, zk.WorldACL(zk.PermAll))}
}

type peerMutex struct{ *zk.Lock }

func (m *peerMutex) lock(context.Context) error   { return m.Lock.Lock() }
func (m *peerMutex) unlock(context.Context) error { return m.Unlock() }
