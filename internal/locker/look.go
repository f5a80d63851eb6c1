package locker

import (
	"context"
	"errors"
	"slices"

	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// look lists the queue and returns our place in it, from 0. Our own znode must
// be there with our session as its owner; anything else is ErrNodeGone.
func (c *candidate) look(ctx context.Context) (int, error) {
	asked := make(chan error, 1)
	if c.token == 0 {
		go func() { asked <- c.askOwner(ctx) }()
	} else {
		asked <- nil
	}
	listing, err := c.session.Children(ctx, c.dir)
	if err := errors.Join(err, <-asked); err != nil {
		return 0, goneIfNoNode(err)
	}
	queue, _ := Contenders(listing.Names)
	node := c.node
	if found, err := c.settle(ctx, queue); err != nil {
		return 0, err
	} else if !found || c.node != node {
		return 0, ErrNodeGone
	}
	place := slices.IndexFunc(queue, func(q Contender) bool { return q.Name == c.node })
	seen := sightingOf(listing, len(queue)-1-place)
	if !c.same(seen) {
		if err := c.askOwner(ctx); err != nil {
			return 0, goneIfNoNode(err)
		}
	}
	c.seen, c.queued = seen, queue
	// Where there are others than contenders the directory is not ours to write to.
	c.saw(listing.Stat, place == 0 && queue[place].Mode == Exclusive && len(queue) == len(listing.Names))
	return place, nil
}

// askOwner fails with ErrNodeGone if our contender is not our session's.
func (c *candidate) askOwner(ctx context.Context) error {
	stat, err := c.session.Stat(ctx, c.path())
	if err != nil {
		return err
	}
	if stat.EphemeralOwner != c.session.ID() {
		return ErrNodeGone
	}
	c.token = stat.Czxid
	return nil
}

func goneIfNoNode(err error) error {
	if errors.Is(err, zookeeper.ErrNoNode) {
		return ErrNodeGone
	}
	return err
}

// sighting is what listings of a directory have in common that show one and the same
// znode of ours. Where it is another one, somebody may have deleted our znode and
// made one of its name, and its owner is to be asked for.
//
// It is how many znodes were ever created in the directory, less those that stand
// behind ours. Nobody comes behind us but by being created, so this number grows with
// each creation that has another place, as one of our name would, and with each
// departure from behind us; and nothing lets it fall.
type sighting struct {
	dir   int64 // the directory's czxid
	count uint32
}

// countBits are those of a sighting's count: twice the creations are in 32 bits, and
// signed.
const countBits = 1<<31 - 1

// sightingOf counts by the directory's cversion, which is the creations and the
// deletions of children, and so twice the creations less the children that are left
// (DataNode.copyStat in ZooKeeper).
func sightingOf(l zookeeper.Listing, behind int) sighting {
	created := uint32(l.Stat.Cversion+l.Stat.NumChildren) / 2             //nolint:gosec // modulo 2^31
	return sighting{l.Stat.Czxid, (created - uint32(behind)) & countBits} //nolint:gosec // modulo 2^31
}

// same tells whether s shows the znode that we saw last, or, before we saw any, the
// one that the server created: its number is the count of the creations before it.
func (c *candidate) same(s sighting) bool {
	if c.seen != (sighting{}) {
		return s == c.seen
	}
	own, _ := ParseContender(c.node)
	return s.count == (uint32(own.Sequence)+1)&countBits //nolint:gosec // modulo 2^31
}
