// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"errors"
	"math/rand/v2"
	"testing"
)

// actor is one of Kazoo's sessions, which takes a lock of this kind again and again.
func (k *kazoo) actor(r *referee, session int, kind string, patterns ...string) actor {
	return func(*rand.Rand) error {
		turn := k.queues(session, kind, patterns...)
		event, err := k.next(turn.events, "held")
		if err != nil {
			return err
		}
		r.enter(event.Node, Exclusive)
		r.leave(event.Node)
		if err := k.send(kazooRequest{ID: turn.id, Do: "release"}); err != nil {
			return err
		}
		_, err = k.next(turn.events, "released")
		return err
	}
}

// Kazoo's Lock knows no readers, so it is for exclusive locks only.
func TestNoOverlapWithKazooLock(t *testing.T) {
	t.Parallel()
	a := newArena(t)
	k := startKazoo(a, 3)
	referee := newReferee(a, 0)
	play(t, 40,
		a.player().actor(referee, exclusive),
		a.player().actor(referee, exclusive),
		a.player().actor(referee, durable(exclusive)),
		k.actor(referee, 0, "Lock"),
		k.actor(referee, 1, "Lock"),
		k.actor(referee, 2, "WriteLock"),
	)
	referee.verdict()
	a.removeDir()
}

func TestNoOverlapWithKazooWriteLock(t *testing.T) {
	t.Parallel()
	a := newArena(t)
	k := startKazoo(a, 2)
	referee := newReferee(a, 0)
	play(t, 40,
		a.player().actor(referee, shared),
		a.player().actor(referee, shared, exclusive),
		a.player().actor(referee, durable(shared), shared),
		k.actor(referee, 0, "WriteLock"),
		k.actor(referee, 1, "WriteLock"),
	)
	referee.verdict()
	a.removeDir()
}

// With patterns Kazoo's WriteLock waits for the gem, for go-zookeeper and for
// Curator's layout, so that all of these exclude each other.
func TestNoOverlapWithKazooAndOthers(t *testing.T) {
	t.Parallel()
	for name, other := range map[string]func(*arena) *simulated{
		"gem":          func(a *arena) *simulated { return a.gem(gemExclusive) },
		"go-zookeeper": func(a *arena) *simulated { return a.looker(goLock) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newArena(t)
			k := startKazoo(a, 2)
			referee := newReferee(a, 0)
			play(t, 40,
				a.player().actor(referee, exclusive, shared, curator),
				a.player().actor(referee, exclusive, shared, durable(exclusive)),
				other(a).actor(referee),
				other(a).actor(referee),
				k.actor(referee, 0, "WriteLock", patterns...),
				k.actor(referee, 1, "WriteLock", patterns...),
			)
			referee.verdict()
			a.removeDir()
		})
	}
}

// holder is one who holds the lock, or waits for it, in either client.
type holder struct {
	blocked func()
	held    func() string // the contender's name
	release func()
}

func (p *player) holder(want Request) holder {
	taking := p.start(p.wanting(want))
	return holder{
		blocked: taking.blocked,
		held: func() string {
			p.tb.Helper()
			return taking.get().node.name
		},
		release: func() {
			p.tb.Helper()
			release(p.tb, taking.get())
		},
	}
}

func (k *kazoo) holder(session int, kind string) holder {
	turn := k.queues(session, kind)
	return holder{blocked: turn.blocked, held: turn.held, release: turn.release}
}

// Kazoo's readers and ours share, and both wait for both kinds of writers, which wait
// for all of them. A round is a writer, the readers that waited for it, and the
// writer that waited for those. Kazoo's readers are the last in the queue when
// they look: see TestKazooReadLockWaitsForLaterWriters.
func TestNoOverlapWithKazooReadLock(t *testing.T) {
	t.Parallel()
	const rounds = 25
	a := newArena(t)
	k := startKazoo(a, 4)
	referee := newReferee(a, 0)
	ours := [3]*player{a.player(), a.player(), a.player()}
	writers := []func() holder{
		func() holder { return a.player().holder(exclusive) },
		func() holder { return k.holder(0, "WriteLock") },
		func() holder { return k.holder(1, "Lock") },
	}
	chance := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // reproducible
	writer := writers[0]()
	for range rounds {
		node := writer.held()
		referee.enter(node, Exclusive)
		var readers []holder
		for i := range 2 {
			readers = append(readers, ours[i].holder(shared), k.holder(2+i, "ReadLock"))
		}
		a.WaitChildren(testDir, 1+len(readers))
		for _, reader := range readers {
			reader.blocked()
		}
		referee.leave(node)
		writer.release()
		var nodes []string
		for _, reader := range readers {
			nodes = append(nodes, reader.held())
			referee.enter(nodes[len(nodes)-1], Shared)
		}
		writer = writers[chance.IntN(2)]()
		a.WaitChildren(testDir, len(readers)+1)
		for _, i := range chance.Perm(len(readers)) {
			writer.blocked()
			referee.leave(nodes[i])
			readers[i].release()
		}
	}
	writer.held()
	writer.release()
	referee.verdict()
	a.removeDir()
}

// Not ours, but good to know: Kazoo's ReadLock up to 2.8 also waits for a writer that
// came after it, which waits for it. They wait until the writer gives up.
func TestKazooReadLockWaitsForLaterWriters(t *testing.T) {
	t.Parallel()
	a := newArena(t)
	k := startKazoo(a, 1)
	first := a.player().takes(exclusive)
	reader := k.queues(0, "ReadLock")
	a.WaitChildren(testDir, 2)
	second := a.player().waits(exclusive)
	a.give(first)
	second.blocked()
	second.leave()
	reader.held()
	reader.release()
	a.removeDir()
}

// Why the guide says that Kazoo's Lock is not for locks that are shared: it does not
// wait for readers, ours or Kazoo's own.
func TestKazooLockDoesNotWaitForReaders(t *testing.T) {
	t.Parallel()
	a := newArena(t)
	k := startKazoo(a, 1)
	reader := a.player().takes(shared)
	lock := k.queues(0, "Lock")
	lock.held()
	a.heldBy(0, reader)
	lock.release()
	a.give(reader)
	a.removeDir()
}

// Kazoo does not see Curator's layout. It is seen by us.
func TestKazooDoesNotSeeTheCuratorLayout(t *testing.T) {
	t.Parallel()
	a := newArena(t)
	k := startKazoo(a, 1)
	ours := a.player().takes(curator)
	theirs := k.queues(0, "WriteLock")
	name := theirs.held()
	a.give(ours)
	err := a.player().tries(curator)
	var busy *BusyError
	if !errors.As(err, &busy) || len(busy.Holders) != 1 || busy.Holders[0].Contender.Name != name || busy.Holders[0].Data.Owner != "WriteLock" {
		t.Errorf("a try ends with %v, want the holder %s", err, name)
	}
	theirs.release()
	a.removeDir()
}
