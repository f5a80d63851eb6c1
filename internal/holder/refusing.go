// SPDX-License-Identifier: MPL-2.0

package holder

import (
	"context"
	"slices"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
)

// refusing answers in the sentinel, after the holder process was killed: the run gets no
// more locks.
type refusing struct {
	why    Loss
	losses []Loss // of the locks that the holder process held
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
		return nil // released before, or the loss was reported
	}
}

// Describe implements [Holder].
func (h refusing) Describe(context.Context, Znode, string) error {
	return &InterruptedError{h.why}
}

// Own implements [Holder].
func (h refusing) Own(context.Context, string) ([]locker.Identity, error) { return nil, nil }
