package locker

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/text/unicode/norm"

	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// ownDir is where the server keeps its quotas and its configuration.
const ownDir = "/zookeeper"

// ErrRequest says that a [Request] asks for what cannot be: nothing was sent to
// ZooKeeper.
var ErrRequest = errors.New("locker: not a request for a lock")

// validate says what is wrong with a request.
func (r Request) validate() error {
	err := func() error {
		if err := ValidateLockID(r.LockID); err != nil {
			return fmt.Errorf("the lockid %s: %w", zookeeper.Quote(r.LockID), err)
		}
		if err := ValidateDirectory(r.Dir); err != nil {
			return err
		}
		plain := r.Mode == "" || r.Mode == Exclusive
		switch {
		case r.Wait < 0 && r.Wait != NoLimit, r.Wait > MaxWait:
			return fmt.Errorf("the wait %v", r.Wait)
		case r.Slots < 0, r.Slots > MaxSlots:
			return fmt.Errorf("%d slots", r.Slots)
		case !plain && r.Mode != Shared:
			return fmt.Errorf("the mode %.20q", r.Mode)
		case !plain && r.Slots > 0:
			return fmt.Errorf("the mode %.20q with slots", r.Mode)
		case r.Layout != "" && r.Layout != Standard && r.Layout != Curator:
			return fmt.Errorf("the layout %.20q", r.Layout)
		case r.Layout == Curator && (!plain || r.Slots > 0):
			return fmt.Errorf("the layout %.20q for other than an exclusive lock", r.Layout)
		}
		return nil
	}()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRequest, err)
	}
	return nil
}

// ValidateDirectory says what is wrong with a lock's directory; nil if it can be one.
func ValidateDirectory(dir string) error {
	if dir == "/" {
		return errors.New("the directory is the root")
	}
	if dir == ownDir || strings.HasPrefix(dir, ownDir+"/") {
		return fmt.Errorf("the directory %s is ZooKeeper's own", zookeeper.Quote(dir))
	}
	err := zookeeper.ValidatePath(dir)
	if err == nil {
		err = zookeeper.ValidateVisible(dir)
	}
	if err == nil && !norm.NFC.IsNormalString(dir) {
		err = fmt.Errorf("path %s is not in Unicode's normalization form C", zookeeper.Quote(dir))
	}
	if err != nil {
		return fmt.Errorf("the directory: %w", err)
	}
	return nil
}

// validateZnode says what is wrong with the path of a contender.
func validateZnode(znode string) error {
	dir, name := split(znode)
	err := ValidateDirectory(dir)
	if err == nil {
		err = zookeeper.ValidateName(name)
	}
	if _, ok := ParseContender(name); err == nil && !ok {
		err = fmt.Errorf("%s is no contender's name", zookeeper.Quote(name))
	}
	if err != nil {
		return fmt.Errorf("%w: znode %s: %w", ErrRequest, zookeeper.Quote(znode), err)
	}
	return nil
}
