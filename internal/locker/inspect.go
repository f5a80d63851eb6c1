// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"context"
	"errors"
	"fmt"

	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// Queue is a lock as it stood when it was looked at.
type Queue struct {
	Holders []Entry
	Waiters []Entry // in queue order
	// Unrecognized are children that are not contenders, sorted by name. They stall clients
	// that expect none, such as the zk gem.
	Unrecognized []string
}

// Inspect looks at the lock in directory dir. Its contenders say whether it is a semaphore,
// and of how many slots; slots is for a semaphore whose contenders do not say how many. A
// directory that is not there is a lock that nobody holds. It shows all that was committed
// before the call. Contenders that leave while it lasts may be missing.
func Inspect(ctx context.Context, s *zookeeper.Session, dir string, slots int) (Queue, error) {
	err := s.Barrier(ctx)
	var listing zookeeper.Listing
	if err == nil {
		listing, err = s.Children(ctx, dir)
	}
	if errors.Is(err, zookeeper.ErrNoNode) {
		return Queue{}, nil
	}
	if err != nil {
		return Queue{}, fmt.Errorf("inspect: %w", err)
	}
	contenders, others := Contenders(listing.Names)
	entries, err := readAll(ctx, s, dir, contenders)
	if err != nil {
		return Queue{}, fmt.Errorf("inspect: %w", err)
	}
	queue := Queue{Unrecognized: others}
	holding := countHolders(contenders, slotsOf(contenders, slots))
	for i, entry := range entries {
		switch {
		case entry == nil:
		case i < holding:
			queue.Holders = append(queue.Holders, *entry)
		default:
			queue.Waiters = append(queue.Waiters, *entry)
		}
	}
	return queue, nil
}

// Lookup reads one contender. ok is false if its znode is not there.
func Lookup(ctx context.Context, s *zookeeper.Session, znode string) (entry Entry, ok bool, err error) {
	if err := validateZnode(znode); err != nil {
		return Entry{}, false, err
	}
	if err := s.Barrier(ctx); err != nil { // another server may have seen its creation or its end
		return Entry{}, false, err
	}
	dir, name := split(znode)
	c, _ := ParseContender(name)
	e, err := readEntry(ctx, s, dir, c)
	if err != nil || e == nil {
		return Entry{}, false, err
	}
	return *e, true, nil
}

// Stand looks at how the queue stands for the contender at znode. Next is the last of those
// that hold the lock, which need not be the one that the contender watches. ok is false if
// the contender does not wait, or the queue has just changed.
//
// It is for people to read: two requests, and the answers are as old as what the
// connected server knows.
func Stand(ctx context.Context, s *zookeeper.Session, znode string) (w Waiting, ok bool, err error) {
	dir, name := split(znode)
	listing, err := s.Children(ctx, dir)
	if errors.Is(err, zookeeper.ErrNoNode) {
		return Waiting{}, false, nil
	}
	if err != nil {
		return Waiting{}, false, err
	}
	queue, _ := Contenders(listing.Names)
	place := placeOf(queue, name)
	if place < 0 || holds(queue, place, queue[place].Slots) {
		return Waiting{}, false, nil
	}
	slots := queue[place].Slots
	holder, err := readEntry(ctx, s, dir, queue[countHolders(queue, slots)-1])
	if err != nil || holder == nil {
		return Waiting{}, false, err
	}
	return waitingAt(znode, queue, place, slots, *holder), true, nil
}
