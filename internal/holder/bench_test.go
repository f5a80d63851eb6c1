// SPDX-License-Identifier: MPL-2.0

package holder

import (
	"fmt"
	"sync"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// BenchmarkManyLocks takes many locks of one run, ten at a time as Terraform does, and
// releases them: with the holder in this process, and with one of its own.
func BenchmarkManyLocks(b *testing.B) {
	const locks, atOnce = 1000, 10
	type holder interface {
		Holder
		Close() error
	}
	for name, open := range map[string]func() holder{
		"local":   func() holder { return NewLocal(self(b), nil) },
		"process": func() holder { return NewRemote(self(b)) },
	} {
		b.Run(name, func(b *testing.B) {
			space := zktest.NewSpace(b)
			h := open()
			defer func() {
				if err := h.Close(); err != nil {
					b.Error(err)
				}
			}()
			requests, znodes := make([]Request, locks), make([]Znode, locks)
			for i := range requests {
				requests[i] = request(b, space, fmt.Sprintf("a-%d", i), 0)
			}
			each := func(do func(i int) error) {
				var wg sync.WaitGroup
				slots := make(chan struct{}, atOnce)
				for i := range locks {
					slots <- struct{}{}
					wg.Go(func() {
						if err := do(i); err != nil {
							b.Error(err)
						}
						<-slots
					})
				}
				wg.Wait()
			}
			b.ReportAllocs()
			for b.Loop() {
				each(func(i int) error {
					grant, err := h.Acquire(b.Context(), requests[i])
					znodes[i] = znodeOf(requests[i], grant)
					return err
				})
				each(func(i int) error { return h.Release(b.Context(), znodes[i]) })
			}
		})
	}
}
