// SPDX-License-Identifier: MPL-2.0

package zookeeper

import "time"

// wakeAfter calls f by Go's own timer.
func wakeAfter(at Instant, f func()) (stop func()) {
	timer := time.AfterFunc(at.Sub(Now()), f)
	return func() { timer.Stop() }
}
