// SPDX-License-Identifier: MPL-2.0

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
	// serverRoot is where the server keeps its quotas and its configuration.
	serverRoot = "/zookeeper"
)

// MaxLockID is the most bytes of a lock's id.
const MaxLockID = 255

// ErrRequest says that a lock, or a znode, was asked for that there cannot be. Nothing was
// sent to ZooKeeper.
var ErrRequest = errors.New("not a request for a lock")

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

// split divides the path of a znode into that of its parent and its name.
func split(znode string) (dir, name string) {
	i := strings.LastIndexByte(znode, '/')
	return znode[:max(i, 0)], znode[i+1:]
}

func nameOf(znode string) string {
	_, name := split(znode)
	return name
}

// shown is a path for people: in quotes and with escapes where it would garble a terminal.
func shown(path string) string { return zookeeper.Shown(path) }

// ValidateLockID says what is wrong with a lock's id; nil if it can be one. An id that
// looks like another one, or like none, cannot.
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

// ValidateDirectory says what is wrong with a lock's directory; nil if it can be one.
func ValidateDirectory(dir string) error {
	if dir == "/" {
		return errors.New("the directory is the root")
	}
	if dir == serverRoot || strings.HasPrefix(dir, serverRoot+"/") {
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
		err = fmt.Errorf("%s is not a contender's name", zookeeper.Quote(name))
	}
	if err != nil {
		return fmt.Errorf("%w: znode %s: %w", ErrRequest, zookeeper.Quote(znode), err)
	}
	return nil
}
