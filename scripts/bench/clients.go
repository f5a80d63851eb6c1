package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/holder"
	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/run"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

const (
	// sessionTimeout is long, so that few pings come between.
	sessionTimeout = 60 * time.Second
	connectTimeout = 15 * time.Second
)

// client is someone with a session of its own.
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
	name string
	dir  string // of its locks
	open func(ctx context.Context, server string) (client, error)
}

const ourDir = "/bench/ours/"

var kinds = []kind{
	{"process", ourDir, openProcess},
	{"holder", ourDir, openLocal},
	{"locker", ourDir, openLocker},
	{"go-zookeeper", peerDir, openPeer(newPeerMutex)},
	{"multis", bareDir, openPeer(newMultiMutex)},
}

func config(server string) zookeeper.Config {
	return zookeeper.Config{Servers: []string{server}, SessionTimeout: sessionTimeout, ConnectTimeout: connectTimeout}
}

// request is what the provider asks of the holder. run makes it a contender of
// its own.
func request(name, run string) locker.Request {
	return locker.Request{
		LockID: name,
		Dir:    locker.Directory("", ourDir, name),
		Wait:   locker.NoLimit,
		Data:   locker.Data{Owner: "bench@localhost", Run: run, Client: "terraform-provider-clocker/bench"},
	}
}

// lockerClient uses the recipe itself.
type lockerClient struct{ session *zookeeper.Session }

func openLocker(ctx context.Context, server string) (client, error) {
	session, err := zookeeper.Open(ctx, config(server))
	if err != nil {
		return nil, err
	}
	return &lockerClient{session}, nil
}

func (c *lockerClient) close() { _ = c.session.Close() }

func (c *lockerClient) mutex(name string) mutex {
	return &lockerMutex{client: c, request: request(name, "")}
}

type lockerMutex struct {
	client  *lockerClient
	request locker.Request
	held    *locker.Lock
}

func (m *lockerMutex) lock(ctx context.Context) error {
	var err error
	m.held, err = locker.Acquire(ctx, func(context.Context) (*zookeeper.Session, error) { return m.client.session, nil }, m.request)
	return err
}

func (m *lockerMutex) unlock(ctx context.Context) error { return m.held.Release(ctx) }

// holderClient uses a holder, as the provider does.
type holderClient struct {
	holder  holder.Holder
	server  string
	closing func()
}

// openLocal makes a holder in this process that works for a run of its own.
func openLocal(_ context.Context, server string) (client, error) {
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails
	local := holder.NewLocal(run.Run{ID: hex.EncodeToString(id[:]), Host: "localhost"}, nil)
	return &holderClient{local, server, func() { _ = local.Close() }}, nil //nolint:contextcheck // it outlives the context that it was opened with
}

// openProcess makes a holder process, which is this program once more.
func openProcess(_ context.Context, server string) (client, error) {
	self, err := run.Self()
	if err != nil {
		return nil, err
	}
	process := holder.NewRemote(self)
	return &holderClient{process, server, func() { _ = process.Close() }}, nil
}

func (c *holderClient) close() { c.closing() }

func (c *holderClient) mutex(name string) mutex {
	return &holderMutex{client: c, request: holder.Request{Ensemble: config(c.server), Lock: request(name, "")}}
}

type holderMutex struct {
	client  *holderClient
	request holder.Request
	grant   holder.Grant
}

func (m *holderMutex) lock(ctx context.Context) error {
	var err error
	m.grant, err = m.client.holder.Acquire(ctx, m.request)
	return err
}

func (m *holderMutex) unlock(ctx context.Context) error {
	return m.client.holder.Release(ctx, holder.Znode{Ensemble: m.request.Ensemble, Path: m.grant.Znode, Grant: m.grant.ID})
}
