package locker

import (
	"errors"
	"fmt"
	"strings"

	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

const (
	// DefaultRoot is where the zk gem keeps its exclusive and shared locks.
	DefaultRoot = "/_zklocking"
	// DefaultSemaphoreRoot is where it keeps its semaphores.
	DefaultSemaphoreRoot = "/_zksemaphore"
)

// MaxLockID is the most bytes of a lock's id.
const MaxLockID = 255

// ValidateLockID says what is wrong with a lock's id; nil if it can be one.
func ValidateLockID(id string) error {
	if id == "" {
		return errors.New("it is empty")
	}
	if len(id) > MaxLockID {
		return fmt.Errorf("it is %d bytes long, more than %d", len(id), MaxLockID)
	}
	return zookeeper.ValidateName(directoryName(id))
}

// RootPath is the absolute path of a lock root below the chroot.
func RootPath(chroot, root string) string {
	if path := chroot + strings.TrimSuffix(root, "/"); path != "" {
		return path
	}
	return "/"
}

// Directory is the znode whose children contend for the lock: root below the
// chroot, and the lock's id with each slash written as two underscores, as the
// zk gem does. So "a/b" and "a__b" are the same lock.
func Directory(chroot, root, id string) string {
	return chroot + strings.TrimSuffix(root, "/") + "/" + directoryName(id)
}

func directoryName(id string) string {
	return strings.ReplaceAll(id, "/", "__")
}
