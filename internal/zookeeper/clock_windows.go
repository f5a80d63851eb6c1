// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"time"

	"golang.org/x/sys/windows"
)

func sinceBoot() time.Duration { return windows.DurationSinceBoot() }
