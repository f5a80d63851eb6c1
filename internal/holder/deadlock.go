// SPDX-License-Identifier: MPL-2.0

package holder

import (
	"context"
	"slices"
)

// others are the directories of the run's other locks in the same ensemble. Durable locks
// that are held do not count, because they stay when the run ends.
func (l *Local) others(k *lock) (dirs []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, locks := range l.locks {
		if key.servers == k.key.servers && key.dir != k.key.dir &&
			slices.ContainsFunc(locks, func(other *lock) bool { return other.Lock == nil || !other.Durable() }) {
			dirs = append(dirs, key.dir)
		}
	}
	return dirs
}

// giveUp ends all other waits of a run whose wait would be a deadlock, and returns when they
// have ended. From then on the run gets locks that are free, and waits for none: it is about
// to fail, but Terraform first goes on to take locks for blocks that do not depend on this
// one. If the lock is optional, nothing else is given up.
func (l *Local) giveUp(ctx context.Context, k *lock, err error) {
	var ending []*lock
	l.mu.Lock()
	required := false
	for w := range k.waiters {
		required = required || !w.req.Optional
	}
	if required && l.gaveUp == nil {
		l.gaveUp = err
		for _, locks := range l.locks {
			for _, other := range locks {
				if other != k && other.Lock == nil {
					other.cancel(err)
					ending = append(ending, other)
				}
			}
		}
	}
	l.mu.Unlock()
	for _, other := range ending {
		select {
		case <-other.done:
		case <-ctx.Done():
			return
		}
	}
}
