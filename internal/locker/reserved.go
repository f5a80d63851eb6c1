package locker

import (
	"context"
	"errors"
	"fmt"

	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// reserved fails if the lock is to be its user's alone, but its directory lets
// everyone in. While our contender is there it cannot be replaced by another
// directory.
func (c *candidate) reserved(ctx context.Context) error {
	if !c.session.Creator() {
		return nil
	}
	open, err := insist(ctx, c.session, func() (bool, error) { return c.session.OpenToAll(ctx, c.dir) })
	switch {
	case errors.Is(err, zookeeper.ErrNoNode):
		return ErrNodeGone
	case err == nil && open:
		return fmt.Errorf("%w: %s", ErrNotReserved, c.dir)
	}
	return err
}
