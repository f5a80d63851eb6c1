// SPDX-License-Identifier: MPL-2.0

package holder

import "time"

// limit interrupts the run when it has held the lock for maxHold, if that is not 0.
// Local.mu is held.
func (l *Local) limit(k *lock, maxHold time.Duration) {
	if maxHold <= 0 || k.Durable() || k.loss != nil {
		return
	}
	due := time.Now().Add(maxHold)
	if k.overdue != nil && !due.Before(k.due) {
		return
	}
	k.endLimit()
	k.due = due
	k.overdue = time.AfterFunc(maxHold, func() { l.isOverdue(k, due, maxHold) })
}

// endLimit ends the limit, because the lock is released or lost. Local.mu is held.
func (k *lock) endLimit() {
	if k.overdue != nil {
		k.overdue.Stop()
	}
	k.due = time.Time{}
}

// isOverdue is called when a lock has been held for as long as it may.
func (l *Local) isOverdue(k *lock, due time.Time, maxHold time.Duration) {
	l.mu.Lock()
	still := k.due.Equal(due)
	l.mu.Unlock()
	if !still {
		return
	}
	k.log.Warn("lock held for too long", "znode", k.Znode(), "max_hold", maxHold)
	if l.onOverdue != nil {
		l.onOverdue(Overdue{LockID: k.req.Lock.LockID, Znode: k.Znode(), MaxHold: maxHold})
	}
}
