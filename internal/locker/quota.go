package locker

import (
	"context"
	"errors"
	"fmt"

	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// Where a server keeps the quota of a znode: below this path and the znode's own.
const (
	quotas     = ownDir + "/quota"
	quotaLimit = "/zookeeper_limits"
)

// whichQuota adds to an error that a quota is exceeded where that is: the server does not
// say so.
func (n *node) whichQuota(ctx context.Context, err error) error {
	if !errors.Is(err, zookeeper.ErrQuotaExceeded) {
		return err
	}
	for path := n.dir; path != ""; path, _ = split(path) {
		if _, failed := n.session.Stat(ctx, quotas+path+quotaLimit); failed == nil {
			return fmt.Errorf("%w: it is the quota of %s, which is kept in %s", err, shown(path), shown(quotas+path+quotaLimit))
		}
	}
	return err
}
