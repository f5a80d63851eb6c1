// SPDX-License-Identifier: MPL-2.0

//go:build !linux

package run

import "testing"

// eachWait runs a test for each way in which Wait can wait: here there is one.
func eachWait(t *testing.T, test func(t *testing.T)) {
	test(t)
}
