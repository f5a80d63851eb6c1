// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"fmt"
	"testing"
)

// BenchmarkContenders puts a listing in order, as each look at a queue does.
func BenchmarkContenders(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprintf("queue=%d", n), func(b *testing.B) {
			names := make([]string, n)
			for i := range names {
				names[i] = fmt.Sprintf("%s%010d", newPrefix("", Exclusive, 0, Standard), i)
			}
			seeded(1, 0).Shuffle(n, func(i, j int) { names[i], names[j] = names[j], names[i] })
			b.ReportAllocs()
			for b.Loop() {
				Contenders(names)
			}
		})
	}
}
