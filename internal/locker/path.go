package locker

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/text/unicode/norm"

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

// ValidateLockID says what is wrong with a lock's id; nil if it can be one. What looks
// like another id, or like none, cannot.
func ValidateLockID(id string) error {
	if id = norm.NFC.String(id); id == "" {
		return errors.New("it is empty")
	}
	if len(id) > MaxLockID {
		return fmt.Errorf("it is %d bytes long, more than %d", len(id), MaxLockID)
	}
	if err := zookeeper.ValidateName(directoryName(id)); err != nil {
		return err
	}
	return zookeeper.ValidateVisible(id)
}

// RootPath is the absolute path of a lock root below the chroot, in normalization form C
// as that of [Directory].
func RootPath(chroot, root string) string {
	if path := chroot + strings.TrimSuffix(root, "/"); path != "" {
		return norm.NFC.String(path)
	}
	return "/"
}

// Directory is the znode whose children contend for the lock: root below the
// chroot, and the lock's id with each slash written as two underscores, as the
// zk gem does. So "a/b" and "a__b" are the same lock. So is an "é" of one character and
// one of two (Unicode's normalization form C), as Terraform has it in all configurations.
func Directory(chroot, root, id string) string {
	return norm.NFC.String(chroot + strings.TrimSuffix(root, "/") + "/" + directoryName(id))
}

func directoryName(id string) string {
	return strings.ReplaceAll(id, "/", "__")
}
