// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
)

// simulated is another client's part in a lock, played by its published rules: for
// those that cannot be had here. The zk gem takes the lock when what it saw before
// it has been deleted, and does not look again. The others do.
type simulated struct {
	*arena
	peer
	conn       *zk.Conn
	looksAgain bool
	removesDir bool
}

func (a *arena) gem(p peer) *simulated {
	return &simulated{a, p, a.NewSession(simulatedTimeout), false, true}
}

func (a *arena) looker(p peer) *simulated {
	return &simulated{a, p, a.NewSession(simulatedTimeout), true, false}
}

const simulatedTimeout = 10 * time.Second

// actor makes it an actor that the referee watches.
func (m *simulated) actor(r *referee) actor {
	return func(*rand.Rand) error {
		ctx, cancel := context.WithTimeout(m.t.Context(), patience)
		defer cancel()
		node, err := m.acquire(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		who := m.name + " " + node
		r.enter(who, m.mode)
		r.leave(who)
		return m.release(node)
	}
}

// acquire returns the path of the contender that holds the lock.
func (m *simulated) acquire(ctx context.Context) (node string, err error) {
	if node, err = m.join(); err != nil {
		return "", err
	}
	for {
		children, _, err := m.conn.Children(m.Path(testDir))
		if err != nil {
			return "", err
		}
		before, err := m.waitsFor(children, path.Base(node))
		if err != nil {
			return "", err
		}
		if err := m.awaitDeletions(ctx, before); err != nil {
			return "", err
		}
		if len(before) == 0 || !m.looksAgain {
			return node, nil
		}
	}
}

func (m *simulated) join() (node string, err error) {
	dir := m.Path(testDir)
	for {
		node, err = m.conn.Create(dir+"/"+m.prefix(), nil, zk.FlagEphemeralSequential, zk.WorldACL(zk.PermAll))
		if !errors.Is(err, zk.ErrNoNode) {
			return node, err
		}
		for i := range dir {
			if i == 0 || dir[i] != '/' {
				continue
			}
			_, _ = m.conn.Create(dir[:i], nil, zk.FlagPersistent, zk.WorldACL(zk.PermAll))
		}
		_, _ = m.conn.Create(dir, nil, zk.FlagPersistent, zk.WorldACL(zk.PermAll))
	}
}

// awaitDeletions waits until no more of these are left than the client tolerates.
func (m *simulated) awaitDeletions(ctx context.Context, names []string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	deleted := make(chan error, len(names))
	for _, name := range names {
		go func() { deleted <- m.awaitDeletion(ctx, m.Path(testDir+"/"+name)) }()
	}
	for range len(names) - m.tolerates {
		if err := <-deleted; err != nil {
			return err
		}
	}
	return nil
}

// awaitDeletion waits until the znode is deleted, or made anew.
func (m *simulated) awaitDeletion(ctx context.Context, znode string) error {
	for {
		exists, _, changed, err := m.conn.ExistsW(znode)
		if err != nil || !exists {
			return err
		}
		select {
		case event := <-changed:
			if event.Err != nil || event.Type == zk.EventNodeDeleted {
				return event.Err
			}
		case <-ctx.Done():
			return fmt.Errorf("wait for the end of %s: %w", znode, ctx.Err())
		}
	}
}

func (m *simulated) release(node string) error {
	err := m.conn.Delete(node, -1)
	if m.removesDir {
		_ = m.conn.Delete(path.Dir(node), -1)
	}
	return err
}

func TestNoOverlapWithGem(t *testing.T) {
	t.Parallel()
	a := newArena(t)
	referee := newReferee(a, 0)
	play(t, 40,
		a.player().actor(referee, exclusive, shared),
		a.player().actor(referee, exclusive, shared),
		a.player().actor(referee, shared, durable(exclusive), durable(shared)),
		a.gem(gemExclusive).actor(referee),
		a.gem(gemExclusive).actor(referee),
		a.gem(gemShared).actor(referee),
		a.gem(gemShared).actor(referee),
	)
	referee.verdict()
}

func TestNoOverlapOfSlotsWithGem(t *testing.T) {
	t.Parallel()
	const slots = 2
	a := newArena(t)
	referee := newReferee(a, slots)
	gem := gemSemaphore(slots)
	play(t, 40,
		a.player().actor(referee, semaphore(slots)),
		a.player().actor(referee, semaphore(slots)),
		a.player().actor(referee, durable(semaphore(slots))),
		a.gem(gem).actor(referee),
		a.gem(gem).actor(referee),
	)
	referee.verdict()
}

func TestNoOverlapWithCurator(t *testing.T) {
	t.Parallel()
	a := newArena(t)
	referee := newReferee(a, 0)
	play(t, 40,
		a.player().actor(referee, curator),
		a.player().actor(referee, curator),
		a.player().actor(referee, durable(curator)),
		a.looker(curatorMutex).actor(referee),
		a.looker(curatorMutex).actor(referee),
		a.looker(curatorMutex).actor(referee),
	)
	referee.verdict()
	a.removeDir()
}

// go-zookeeper is at hand: this is its own lock.
func TestNoOverlapWithGoZookeeper(t *testing.T) {
	t.Parallel()
	a := newArena(t)
	referee := newReferee(a, 0)
	actors := []actor{
		a.player().actor(referee, exclusive, shared),
		a.player().actor(referee, exclusive, shared),
		a.player().actor(referee, curator, durable(exclusive)),
	}
	for i := range 3 {
		conn, who := a.NewSession(simulatedTimeout), fmt.Sprintf("go-zookeeper %d", i)
		actors = append(actors, func(*rand.Rand) error {
			lock := zk.NewLock(conn, a.Path(testDir), zk.WorldACL(zk.PermAll))
			err := lock.Lock()
			for errors.Is(err, zk.ErrNoNode) {
				err = lock.Lock() // the directory was removed again and again
			}
			if err != nil {
				return fmt.Errorf("go-zookeeper: %w", err)
			}
			referee.enter(who, Exclusive)
			referee.leave(who)
			return lock.Unlock()
		})
	}
	play(t, 40, actors...)
	referee.verdict()
	a.removeDir()
}
