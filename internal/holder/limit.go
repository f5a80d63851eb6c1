package holder

import "time"

// limit has the run interrupted when it holds the lock for longer than that; 0 for no
// limit. Local.mu is held.
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

// endLimit is called when the lock is let go, or lost. Local.mu is held.
func (k *lock) endLimit() {
	if k.overdue != nil {
		k.overdue.Stop()
	}
	k.due = time.Time{}
}

// isOverdue says that a lock has been held for as long as it may be.
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
