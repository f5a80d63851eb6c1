package main

import (
	"context"
	"time"

	"github.com/go-zookeeper/zk" //nolint:depguard // the observer is to share no code with what it observes
)

const (
	lookEvery = time.Millisecond
	// settleTime is given to the last in a queue to watch the one before it.
	settleTime = 3 * time.Millisecond
)

// observer looks at locks, past all proxies.
type observer struct{ *peer }

func newObserver(ctx context.Context, server string) (*observer, error) {
	conn, events, err := connect(ctx, server)
	if err != nil {
		return nil, err
	}
	return &observer{&peer{conn: conn, events: events}}, nil
}

// awaitQueue waits until a directory has so many children, and a pause longer.
func (o *observer) awaitQueue(ctx context.Context, dir string, n int, settle time.Duration) error {
	for {
		exists, stat, err := o.conn.Exists(dir)
		if err != nil {
			return err
		}
		pause := lookEvery
		queued := exists && int(stat.NumChildren) == n
		if queued {
			pause = settle
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if queued {
			return nil
		}
	}
}

// makeRoots creates the directories below which all work.
func (o *observer) makeRoots() error {
	for _, path := range []string{"/bench", "/bench/ours", "/bench/peer", "/bench/bare", "/bench/kazoo"} {
		if _, err := o.conn.Create(path, nil, 0, zk.WorldACL(zk.PermAll)); err != nil {
			return err
		}
	}
	return nil
}
