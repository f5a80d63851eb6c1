// SPDX-License-Identifier: MPL-2.0

package holder

import (
	"cmp"
	"fmt"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
)

// find returns the lock of the run that a request is to share, or nil if the lock is to
// be taken. The error is a [*ConflictError] if neither is possible. A request can share a
// durable lock, but a request for a durable lock cannot share another.
func find(locks []*lock, want locker.Request) (*lock, error) {
	var conflict *lock
	for _, k := range locks {
		have := k.req.Lock
		switch {
		case want.Durable && together(have, want):
		case want.Durable || !includes(have, want):
			conflict = k
		default:
			return k, nil
		}
	}
	switch {
	case conflict == nil:
		return nil, nil //nolint:nilnil // the lock is to be taken
	case conflict.leaving != nil:
		return conflict, nil // the request waits until it is released
	default:
		return nil, &ConflictError{LockID: want.LockID, Held: describe(conflict.req.Lock), Asked: describe(want)}
	}
}

// together returns whether two nodes can hold the lock at the same time.
func together(a, b locker.Request) bool {
	return a.Slots == b.Slots && (a.Slots > 0 || a.Mode == locker.Shared && b.Mode == locker.Shared)
}

// includes returns whether a lock that is held as have says includes what want asks for.
func includes(have, want locker.Request) bool {
	return have.Slots == want.Slots && (have.Slots > 0 || have.Mode != locker.Shared || want.Mode == locker.Shared)
}

// describe says how a request asks for its lock.
func describe(req locker.Request) string {
	kind := fmt.Sprintf("a lock with mode = %q", cmp.Or(req.Mode, locker.Exclusive))
	if req.Slots > 0 {
		kind = fmt.Sprintf("a semaphore with slots = %d", req.Slots)
	}
	if req.Durable {
		return kind + " that is held until it is destroyed"
	}
	return kind
}
