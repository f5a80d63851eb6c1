// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"context"
	"errors"
	"fmt"

	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// makeAbove creates what is missing above path, and nothing else: what is further up may
// not be ours to write to. shared lets everyone use the parent of path. It is for the
// parent of a lock's directory, as other users' locks are there, too.
func makeAbove(ctx context.Context, s *zookeeper.Session, path string, shared bool) error {
	parent, _ := split(path)
	for parent != "" {
		var err error
		if shared {
			err = s.CreateShared(ctx, parent)
		} else {
			_, err = s.Create(ctx, parent, nil, zookeeper.Persistent)
		}
		switch {
		case err == nil, errors.Is(err, zookeeper.ErrNodeExists):
			return nil
		case errors.Is(err, zookeeper.ErrNoAuth):
			return missing(parent, err)
		case !errors.Is(err, zookeeper.ErrNoNode):
			return err
		}
		if err := makeAbove(ctx, s, parent, false); err != nil {
			return err
		}
	}
	return nil
}

// missing explains why a znode that is not there was not created.
func missing(path string, err error) error {
	return fmt.Errorf("%s does not exist, and this client may not create it: %w", path, err)
}

// removeDirectory deletes a lock's directory if all contenders have left it. If not, the
// last of them deletes it. A directory that somebody has written to, or whose ACL somebody
// has set, stays: the next one would be created without that. It looks first, because the
// next holder of the lock would wait behind a write that is refused.
func removeDirectory(ctx context.Context, s *zookeeper.Session, dir string) {
	access, err := s.Access(ctx, dir)
	if err == nil && access.Ours && access.Stat.NumChildren == 0 && access.Stat.DataLength == 0 {
		_ = s.DeleteUnchanged(ctx, dir, access.Stat.Version) // others may have come
	}
}

// checkReserved fails if the session reserves its locks for its user, but the lock's
// directory lets others in. While our znode is there the directory cannot be replaced by another one,
// whoever may change what is above it.
func checkReserved(ctx context.Context, s *zookeeper.Session, znode string) error {
	if !s.Creator() {
		return nil
	}
	dir, _ := split(znode)
	others, err := s.Others(ctx, dir, znode)
	if err == nil && len(others) > 0 {
		return &NotReservedError{Dir: dir, Others: others}
	}
	return err
}

// A server keeps the quota of a znode below the first path, the znode's own, and the second.
const (
	quotas     = serverRoot + "/quota"
	quotaLimit = "/zookeeper_limits"
)

// whichQuota adds to the error that a quota is exceeded where that quota is. The server does
// not say it.
func whichQuota(ctx context.Context, s *zookeeper.Session, dir string, err error) error {
	if !errors.Is(err, zookeeper.ErrQuotaExceeded) {
		return err
	}
	for path := dir; path != ""; path, _ = split(path) {
		if _, failed := s.Stat(ctx, quotas+path+quotaLimit); failed == nil {
			return fmt.Errorf("%w: it is the quota of %s, which is kept in %s", err, shown(path), shown(quotas+path+quotaLimit))
		}
	}
	return err
}
