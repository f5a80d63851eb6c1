// SPDX-License-Identifier: MPL-2.0

//go:build unix

package chaos

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
)

// foreignTimeout is the session timeout of foreign clients, longer than any fault
// of the servers: they play fair and are not themselves tested.
const foreignTimeout = 30 * time.Second

// foreignPause is between two looks of a foreign client at the queue. It does not watch,
// as the library has a data race when it sets watches again on a new connection.
const foreignPause = 15 * time.Millisecond

// style is how another client's contenders are named. All of them look at the queue
// before they go in.
type style struct {
	name                       string
	guid                       bool // 32 hex digits before the name, for each contender
	exclusive, shared, counted string
	tidy                       bool // removes the directory behind itself
	secret                     bool // nobody else may read its contenders
}

var styles = []style{
	{name: "Kazoo", guid: true, exclusive: "__lock__", shared: "__rlock__"},
	{name: "gem", exclusive: "ex", shared: "sh", counted: "sem", tidy: true},
	{name: "go-zookeeper", guid: true, exclusive: "-lock-"},
	{name: "Curator", guid: true, exclusive: "-lock-", tidy: true},
	{name: "Curator's readers and writers", guid: true, exclusive: "__WRIT__", shared: "__READ__"},
	{name: "recipe", exclusive: "write-", shared: "read-", tidy: true},
	{name: "stranger", exclusive: "job"},
	{name: "secret Kazoo", guid: true, exclusive: "__lock__", shared: "__rlock__", secret: true},
	{name: "secret gem", exclusive: "ex", shared: "sh", counted: "sem", secret: true},
}

// foreignClient takes and releases locks in a recipe of its own.
type foreignClient struct {
	c    *chaos
	conn *zk.Conn
	style
	acl []zk.ACL
}

var openACL = zk.WorldACL(zk.PermAll)

// foreign lets one client contend for locks until enough were taken.
func (c *chaos) foreign(conn *zk.Conn, s style) {
	f := &foreignClient{c, conn, s, openACL}
	if s.secret {
		// The library says it again on each connection.
		if err := conn.AddAuth("digest", []byte("secret:keeper")); err != nil {
			c.report("%s: %v", s.name, err)
		}
		f.acl = zk.DigestACL(zk.PermAll, "secret", "keeper")
	}
	random := generator(c.seed, s.name)
	for c.ctx.Err() == nil {
		lock, shared, rest := c.locks[random.IntN(len(c.locks))], random.IntN(2) == 0, between(random, 0, 30*time.Millisecond)
		prefix, mode := s.exclusive, locker.Exclusive
		switch {
		case lock.slots > 0:
			prefix, mode = s.counted, locker.Semaphore
		case shared && lock.id == readersLock:
			prefix, mode = s.shared, locker.Shared
		}
		if prefix != "" {
			if err := f.take(lock, prefix, mode); err != nil {
				c.report("%s: %v", s.name, err)
			}
		}
		wait(c.ctx, rest, nil)
	}
}

// take takes a lock, writes and lets it go.
func (f *foreignClient) take(l *lock, prefix string, mode locker.Mode) error {
	dir := f.c.space.Path(l.dir)
	if f.guid {
		var id [16]byte
		for i := range id {
			id[i] = byte(rand.Uint32()) //nolint:gosec // a part of it will do
		}
		prefix = hex.EncodeToString(id[:]) + prefix
	}
	node, err := f.create(dir, prefix)
	if err != nil {
		return err
	}
	stat, err := f.await(dir, node, l.slots, mode)
	if err == nil {
		h := &hold{lock: l, who: f.name, mode: mode, token: stat.Czxid, begin: time.Now()}
		l.witness.enter(h)
		for range 3 {
			l.witness.write(h)
		}
		l.witness.leave(h, endedByRelease)
		f.c.history.add(h)
		f.c.count("by a foreign client")
	}
	gone := f.retry(func() error {
		if err := f.conn.Delete(dir+"/"+node, -1); !errors.Is(err, zk.ErrNoNode) {
			return err
		}
		return nil
	})
	if f.tidy {
		_ = f.conn.Delete(dir, -1)
	}
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return errors.Join(err, gone)
}

// create joins the queue.
func (f *foreignClient) create(dir, prefix string) (node string, err error) {
	err = f.retry(func() error {
		// A reply may have been lost before, and a server that lags would not show it.
		if _, err := f.conn.Multi(&zk.CheckVersionRequest{Path: "/", Version: -1}); err != nil {
			return err
		}
		if nodes, _, err := f.conn.Children(dir); err == nil {
			for _, name := range nodes {
				_, stat, err := f.conn.Exists(dir + "/" + name)
				if err != nil {
					return err
				}
				if stat.EphemeralOwner == f.conn.SessionID() {
					node = name
					return nil
				}
			}
		}
		path, err := f.conn.Create(dir+"/"+prefix, []byte(f.name), zk.FlagEphemeral|zk.FlagSequence, f.acl)
		if errors.Is(err, zk.ErrNoNode) {
			if _, err := f.conn.Create(dir, nil, 0, openACL); err != nil && !errors.Is(err, zk.ErrNodeExists) {
				return err
			}
			return errAgain
		}
		node = path[strings.LastIndexByte(path, '/')+1:]
		return err
	})
	return node, err
}

var errAgain = fmt.Errorf("foreign: %w", zk.ErrConnectionClosed)

// await waits until the contender is the first, or among the first of a semaphore,
// or has none but readers before it.
func (f *foreignClient) await(dir, node string, slots int, mode locker.Mode) (*zk.Stat, error) {
	var own *zk.Stat
	err := f.retry(func() error {
		for {
			nodes, _, err := f.conn.Children(dir)
			if err != nil {
				return err
			}
			there, stat, err := f.conn.Exists(dir + "/" + node)
			if err != nil {
				return err
			}
			if !there || stat.EphemeralOwner != f.conn.SessionID() {
				return fmt.Errorf("%s/%s is not there any more", dir, node)
			}
			own = stat
			before := 0
			for _, other := range nodes {
				if number(other) < number(node) && (mode != locker.Shared || !reads(other)) {
					before++
				}
			}
			if before < max(slots, 1) {
				return nil
			}
			if !wait(f.c.ctx, foreignPause, nil) {
				return context.Canceled
			}
		}
	})
	return own, err
}

// number is the sequence number, which does not wrap here.
func number(node string) string { return node[max(0, len(node)-10):] }

func reads(node string) bool {
	return strings.Contains(node, "__rlock__") || strings.Contains(node, "__READ__") ||
		strings.HasPrefix(node, "sh") || strings.HasPrefix(node, "read-")
}

// retry repeats a request until it was answered.
func (f *foreignClient) retry(request func() error) error {
	for {
		err := request()
		lost := slices.ContainsFunc([]error{zk.ErrConnectionClosed, zk.ErrNoServer, zk.ErrSessionMoved}, func(lost error) bool { return errors.Is(err, lost) })
		if broken := (*net.OpError)(nil); !lost && !errors.As(err, &broken) { // the library passes on what a write says
			return err
		}
		wait(context.Background(), time.Millisecond, nil)
	}
}
