// SPDX-License-Identifier: MPL-2.0

//go:build !linux

package zookeeper

func wakeAt(at Instant, f func()) (stop func()) { return wakeAfter(at, f) }
