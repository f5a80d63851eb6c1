package holder

import (
	"context"
	"slices"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
)

// refusing answers in the place of a holder that was killed: the run gets no more
// locks, and is told why.
type refusing struct {
	why    Loss
	losses []Loss // of the locks that went with the holder
}

var _ Holder = refusing{}

// Acquire implements [Holder].
func (h refusing) Acquire(context.Context, Request) (Grant, error) {
	return Grant{}, &InterruptedError{h.why}
}

// Release implements [Holder].
func (h refusing) Release(_ context.Context, znode Znode) error {
	i := slices.IndexFunc(h.losses, func(loss Loss) bool { return loss.Znode == znode.Path })
	switch {
	case znode.Durable:
		return &InterruptedError{h.why}
	case i >= 0:
		return &LostError{h.losses[i]}
	default:
		return nil // given up before, or reported
	}
}

// Describe implements [Holder].
func (h refusing) Describe(context.Context, Znode, string) error {
	return &InterruptedError{h.why}
}

// Own implements [Holder].
func (h refusing) Own(context.Context, string) ([]locker.Identity, error) { return nil, nil }
