package locker

import (
	"context"
	"errors"
	"slices"

	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// Stand looks at how the queue stands for the contender at znode; Next is the last of
// those that hold the lock, which need not be the one that the contender watches. ok is
// false if the contender does not wait, or the queue has just changed.
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
	place := slices.IndexFunc(queue, func(c Contender) bool { return c.Name == name })
	if place < 0 || holds(queue, place, queue[place].Slots) {
		return Waiting{}, false, nil
	}
	last := place - 1
	for last > 0 && !holds(queue, last, queue[place].Slots) {
		last--
	}
	holder, err := readEntry(ctx, s, dir, queue[last])
	if err != nil || holder == nil {
		return Waiting{}, false, err
	}
	return standing(znode, queue, place, queue[place].Slots, *holder), true, nil
}

// standing is how the queue stands for queue[place].
func standing(znode string, queue []Contender, place, slots int, next Entry) Waiting {
	rank := rank(queue, place, slots)
	return Waiting{Znode: znode, Place: rank, Holders: place - rank + 1, Next: next}
}
